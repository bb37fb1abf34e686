sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  stage a = .text + .n
  stage b = .text - 1
  stage c = 5 / 0
  stage d = .n contains 3
  stage e = 10 + 5s
  stage g = [1] < [2]
  where .n
  emit Out { id: .id, text: .text } into out
}
