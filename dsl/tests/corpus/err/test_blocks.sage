sage 1

type Query { id: string @key, text: string }
type Answer { id: string @key, text: string, tokens: int }

endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
source queries: Query from csv("q.csv")
source lines: Query from stdin()
sink answers: Answer to jsonl("answers.jsonl")
sink others: Answer to jsonl("others.jsonl")

flow ask {
  from queries
  stage n = length(.text)
  stage answer = generate(.text) on llm
  emit Answer { id: .id, text: answer.text, tokens: n } into answers
}

test "gives nothing" { expect answers.count == 1 }
test "expects nothing" { given 3 of queries }
test "too many" {
  given 0 of queries
  given Query { id: "q", text: "t" }
  expect answers.count == 1
}
test "another source" { given 3 of lines  expect answers.count == 1 }
test "wrong record" {
  given Query { id: 1, txt: "t" }
  given [Answer { id: "a", text: "t", tokens: 1 }]
  expect answers.count == 1
}
test "mocks" {
  given 1 of queries
  mock anser = { text: "t" }
  mock answer.txt = "t"
  mock answer.text = 5
  mock answer.text = .tex
  mock n.text = "t"
  mock n = error("no calls")
  mock answer = error(5)
  mock n = 1
  mock n = 2
  expect answers.count == 1
}
test "faults" {
  given 1 of queries
  fault lm { stall: 1% }
  fault llm { status_42: 1%, statsu_429: 30%, stal: 5%, stall: 5, latency: 5%, seed: 1% }
  fault llm { stall: 1% }
  expect llm.retries > 0
}
test "expectations" {
  given 1 of queries
  expect answers
  expect answers.cuont == 1
  expect answers.length == 1
  expect answer.count == 1
  expect .text == "t"
  expect answers[0].text == 5
  expect others.count == 0
  expect llm.retry > 0
  expect p99(latncy) < 10s
  expect latency_p99 < 10
}
test "mocks" { given 1 of queries  expect answers.count == 1 }
test "unreadable" {
  given 1 of queries
  givn 2 of queries
  expct answers.count == 1
}
