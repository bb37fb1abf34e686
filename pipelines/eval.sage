sage 1

/// Judge the answers of another pipeline: two judges look at each, and topics are compared.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param answers: string = "data/answers.jsonl"
param pass_mark: float = 0.75

enum Verdict { right, partly, wrong }

type Answer { id: string @key, topic: string, question: string, expected: string, answer: string }
type Judgement { verdict: Verdict, reason: string }
type Judged { id: string @key, topic: string, facts: Verdict, use: Verdict, score: float, passed: bool, reasons: [string] }
type OfTopic { topic: string, answers: int, mean: float, passed: float, disagreements: int, worst: [string] }
type Overall { answers: int, mean: float, passed: float, disagreements: int }

endpoint judge {
  url: llm_url
  model: "Qwen/Qwen2.5-7B-Instruct"
  concurrency: auto(max: 256)
  retry: backoff(max: 4, base: 200ms, cap: 10s)
}

source answered: Answer from jsonl(answers)
sink judged: Judged to jsonl("judged.jsonl")
sink topics: OfTopic to csv("topics.csv")
sink overall: Overall to csv("overall.csv")

/// The first judge knows the expected answer, and looks at nothing but the facts.
prompt facts_of(question: string, expected: string, answer: string) -> Judgement """
  You check an answer against a reference. Say `right` if the answer states what the reference
  states, `partly` if something of it is missing, and `wrong` if it contradicts it or says nothing.
  Question: {{ question }}
  Reference: {{ expected }}
  Answer: {{ answer }}
"""

/// The second one does not know it, and judges as a reader would.
prompt use_of(question: string, answer: string) -> Judgement """
  You asked a question and got an answer. Say `right` if it tells you what you wanted to know,
  `partly` if you have to ask again, and `wrong` if it is of no use.
  Question: {{ question }}
  Answer: {{ answer }}
"""

fn points(verdict: Verdict) -> float = match verdict { right => 1.0, partly => 0.5, wrong => 0.0 }

flow eval {
  from answered
  where length(trim(.answer)) > 0
  stage facts = generate(facts_of(.question, .expected, .answer)) on judge { max_tokens: 96, temperature: 0.0, repair: 2, timeout: 120s }
  stage use = generate(use_of(.question, .answer)) on judge { max_tokens: 96, temperature: 0.0, repair: 2, timeout: 120s }
  stage score = (points(facts.verdict) + points(use.verdict)) / 2.0
  stage passed = score >= pass_mark
  stage agreed = facts.verdict == use.verdict
  emit Judged {
    id: .id
    topic: .topic
    facts: facts.verdict
    use: use.verdict
    score: score
    passed: passed
    reasons: [facts.reason, use.reason]
  } into judged

  group by .topic {
    answers: count()
    passes: count(passed)
    points: sum(score)
    disagreements: count(not agreed)
    worst: top_k(.id, k: 3, by: 0.0 - score)
  }
  stage mean  = .points / to_float(.answers)
  stage share = to_float(.passes) / to_float(.answers)
  emit OfTopic {
    topic: .topic
    answers: .answers
    mean: mean
    passed: share
    disagreements: .disagreements
    worst: .worst
  } into topics

  group { answers: sum(.answers), passes: sum(.passes), points: sum(.points), disagreements: sum(.disagreements) }
  stage of_all    = .points / to_float(.answers)
  stage share_all = to_float(.passes) / to_float(.answers)
  emit Overall {
    answers: .answers
    mean: of_all
    passed: share_all
    disagreements: .disagreements
  } into overall
}

schedule { policy: load_aware(spread), slots: 8 }

test "scores are means of both judges, and topics are compared" {
  given [
    Answer { id: "a", topic: "slots", question: "q", expected: "eight", answer: "eight" },
    Answer { id: "b", topic: "slots", question: "q", expected: "eight", answer: "nine" },
    Answer { id: "c", topic: "units", question: "q", expected: "30s", answer: "30s" },
    Answer { id: "d", topic: "units", question: "q", expected: "30s", answer: "  " }
  ]
  mock facts.verdict = if .answer == .expected then right else wrong
  mock use.verdict = right
  expect judged.count == 3 and judge.calls == 0
  expect topics.count == 2 and topics.mean contains 0.75 and topics.mean contains 1.0
  expect topics.passed contains 0.5 and topics.disagreements contains 1
  expect overall[0].answers == 3 and overall[0].disagreements == 1
}

test "what is not good enough is named" {
  given [
    Answer { id: "a", topic: "slots", question: "q", expected: "x", answer: "good" },
    Answer { id: "b", topic: "slots", question: "q", expected: "x", answer: "bad" }
  ]
  mock facts.verdict = if .answer == "good" then right else wrong
  mock use.verdict = if .answer == "good" then partly else wrong
  expect topics[0].worst[0] == "b" and topics[0].passed == 0.5
  expect judged.score contains 0.75 and judged.score contains 0.0
}

test "every answer is judged twice, also when judges forget the form" {
  given 24 of answered
  fault judge { wrong_schema: 10%, seed: 4 }
  expect judged.count + dead_letters.count == 24 and judged.count >= 20
  expect judge.calls > 48
}

test "a judge that is away for a while costs time and no answer" {
  given 24 of answered
  fault judge { outage: { at: 0s, for: 2s } }
  expect judged.count == 24 and dead_letters.count == 0
  expect makespan > 2s and makespan < 20s
}
