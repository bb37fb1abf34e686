sage 1
type Query { id: string @key, text: string, n: int = 3 }
type Answer { id: string, text: string, score: float? }
endpoint llm { url: "sim:a100/qwen2.5-7b" }
source queries: Query from jsonl("q.jsonl")
sink answers: Answer to jsonl("a.jsonl")
prompt ask(text: string) -> string """{{ text }}"""
flow qa {
  from queries
  where .n > 1
  stage answer = generate(ask(.text)) on llm { max_tokens: 5 }
  emit Answer { id: .id, text: answer, score: if .n > 2 then 0.5 else null } into answers
}
test "given and expected" {
  flow: qa
  given Query { id: "a", text: "x" }, Query { id: "b", text: "y", n: 1 }
  mock answer = "always " + .id
  expect count(answers) == 1
  expect answers[0].text == "always a"
  expect dead == 0
}
test "faults" {
  flow: qa
  given 20 of queries
  fault llm { fail: 30%, for: 2s }
  expect rows(answers) + dead_letters >= 1 and makespan < 10min
}
