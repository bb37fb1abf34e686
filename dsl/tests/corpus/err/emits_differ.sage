sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out to jsonl("o.jsonl")
flow f {
  from queries
  stage a = .n + 1
  emit Query { id: .id, text: .text } into out
  emit Out { id: .id, text: .text } into out
}
