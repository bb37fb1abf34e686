sage 1
type Query { id: string @key, text: string, n: integer = 0 }
type Out { id: string @key, text: string }
source queries: Qery from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
param p: Mode = 3
flow f {
  from queries
  emit Out { id: .id, text: .text } into out
}
