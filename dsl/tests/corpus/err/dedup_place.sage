sage 1
enum Op { insert, delete }
type Query { id: string @key, text: string }
type Change { id: string @key, text: string, op: Op }
type Answer { id: string, text: string }
source queries: Query from csv("q.csv")
source asked: Query from http("/ask")
source changed: Change from jsonl("c.jsonl") { changes: "op" }
sink answers: Answer to csv("a.csv")
sink others: Answer to csv("b.csv")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }

flow behind_where {
  from queries
  where length(.text) > 3
  dedup by .id
  stage answer = generate(.text) on llm
  emit Answer { id: .id, text: answer.text } into answers
}

flow unknown_field {
  from queries
  dedup by .foo, .bar
  stage answer = generate(.text) on llm
  emit Answer { id: .id, text: answer.text } into answers
}

flow twice {
  from queries
  dedup by .id
  dedup by .text
  stage answer = generate(.text) on llm
  emit Answer { id: .id, text: answer.text } into answers
}

flow of_changes {
  from changed
  dedup by .text
  stage answer = generate(.text) on llm
  emit Answer { id: .id, text: answer.text } into others
}

flow constant {
  from queries
  dedup by 5
  emit Answer { id: .id, text: .text } into answers
}

flow behind_join {
  from queries
  join asked on .id == asked.id
  dedup by "x"
  stage pause = sleep(1ms)
  emit Answer { id: .id, text: .text } into answers
}

flow behind_call {
  from queries
  stage first = generate(.text) on llm
  dedup by .id
  stage answer = generate(first.text) on llm
  emit Answer { id: .id, text: answer.text } into answers
}
