sage 1

/// One generation per question, nothing else: the plainest load on the shared endpoint.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param max_tokens: int = 128

type Query  { id: string @key, text: string, priority: int = 0 }
type Answer { id: string @key, text: string, tokens: int }

endpoint llm {
  url: llm_url
  model: "Qwen/Qwen2.5-7B-Instruct"
  concurrency: auto(max: 256)
}

source queries: Query from csv("data/questions.csv")
sink answers: Answer to jsonl("answers.jsonl")

prompt reply(question: string) -> string """
  Answer in at most three sentences.
  Question: {{ question }}
"""

flow llm {
  from queries
  stage answer = generate(reply(.text)) on llm { max_tokens: max_tokens, timeout: 120s }
  emit Answer { id: .id, text: answer.text, tokens: answer.tokens } into answers
}

schedule { policy: load_aware(spread), slots: 8, priority: .priority }

test "a server that falls silent costs its records no more than their time" {
  given 20 of queries
  fault llm { stall: 25%, seed: 2 }
  expect answers.count + dead_letters.count == 20 and dead_letters.count > 0
  expect dead_letters[0].class == "timeout"
  expect makespan >= 120s and makespan < 130s
}

test "a question that is refused is a dead letter and no answer" {
  given 3 of queries
  mock answer = error("no such model")
  expect answers.count == 0 and dead_letters.count == 3
  expect dead_letters[0].message contains "no such model" and dead_letters[0].attempts == 1
}
