sage 1

enum Level { simple, hard }
type Query { id: string @key, text: string, kind: Level = simple }
type Answer { id: string @key, text: string, tokens: int, level: Level }

endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
source queries: Query from csv("q.csv")
sink answers: Answer to jsonl("answers.jsonl")

prompt level_of(q: string) -> Level """{{ q }}"""
flow ask {
  from queries
  stage level = generate(level_of(.text)) on llm
  route level {
    when simple => {
      stage answer = generate(.text) on llm
      emit Answer { id: .id, text: answer.text, tokens: answer.tokens, level: level } into answers
    }
    when hard => {
      loop up to 2 {
        carry q: string = .text
        stage answer = generate(q) on llm
        carry q = answer.text
      }
      emit Answer { id: .id, text: q, tokens: 0, level: level } into answers
    }
  }
}

test "a mock of all arms and rounds" {
  given [
    Query { id: "a", text: "t" },
    Query { id: "b", text: "t", kind: hard }
  ]
  mock level = .kind
  mock answer.text = "answer to " + .text
  expect answers.count == 2 and answers[0].level == simple
  expect not (answers.text contains "t")
  expect p99(latency) < 1s or latency_p99 < 20ms
}

test "a mock of one arm, and calls that fail" {
  given 20 of queries
  mock level = simple
  mock simple.answer = error("no such model")
  fault llm { extra_latency: 500ms, malformed: 2.5%, status_503: 1%, seed: 3 }
  expect dead_letters.count == 20
  expect dead_letters[0].message contains "no such model" and dead_letters[0].record.id == "a"
  expect llm.calls == 0
}
