sage 1

/// Let a model judge answers, and compare the topics they are about.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")

enum Verdict { right, partly, wrong }

type Answer    { id: string @key, topic: string, question: string, expected: string, answer: string }
type Judgement { verdict: Verdict, reason: string }
type Judged    { id: string @key, topic: string, verdict: Verdict, reason: string }
type OfTopic   { topic: string, answers: int, mean: float, right: int, worst: [string] }

endpoint judge { url: llm_url, model: "Qwen/Qwen2.5-7B-Instruct" }

source answered: Answer from jsonl("answers.jsonl")
sink judged: Judged to jsonl("judged.jsonl")
sink topics: OfTopic to csv("topics.csv")

prompt judgement_of(question: string, expected: string, answer: string) -> Judgement """
  Check the answer against the reference: right, partly or wrong, and why in one sentence.
  Question: {{ question }}
  Reference: {{ expected }}
  Answer: {{ answer }}
"""

fn points(verdict: Verdict) -> float = match verdict { right => 1.0, partly => 0.5, wrong => 0.0 }

flow eval {
  from answered
  stage it    = generate(judgement_of(.question, .expected, .answer)) on judge { max_tokens: 96, repair: 2 }
  stage score = points(it.verdict)
  emit Judged { id: .id, topic: .topic, verdict: it.verdict, reason: it.reason } into judged
  group by .topic {
    answers: count()
    mean: avg(score)
    right: count(score == 1.0)
    worst: top_k(.id, k: 3, by: 0.0 - score)
  }
  emit OfTopic { topic: .topic, answers: .answers, mean: .mean, right: .right, worst: .worst } into topics
}

test "topics are compared by the mean of their scores" {
  given [
    Answer { id: "a", topic: "t", question: "q", expected: "x", answer: "x" },
    Answer { id: "b", topic: "t", question: "q", expected: "x", answer: "y" }
  ]
  mock it.verdict = if .answer == .expected then right else wrong
  expect judged.count == 2 and topics.count == 1
  expect topics[0].mean == 0.5 and topics[0].right == 1 and topics[0].worst[0] == "b"
}

test "a judge that forgets the form is asked again" {
  given 20 of answered
  fault judge { wrong_schema: 20%, seed: 1 }
  expect judge.calls > 20 and judged.count > 15
}
