sage 1

type Query { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink short: Query to jsonl("short.jsonl")
sink long: Query to jsonl("long.jsonl")

flow few {
  from queries
  stage n = length(.text)
  emit Query { id: .id, text: .text } into short if n < 10
}
flow many {
  from queries
  stage m = length(.text)
  emit Query { id: .id, text: .text } into long if m >= 10
}

test "of both" { given 3 of queries  expect tasks_in == 3 }
test "of none" { given 3 of queries  mock n = 1  expect long.count == 3 }
test "of one" { given 3 of queries  mock n = 1  expect short.count == 3 and success >= 99.5% }
