sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  emit Out { id: "a", text: "b" } into out
}
flow g {
  where 1 > 0
  from queries
  from querys
  emit Out { id: .id, text: .text } into out
}
