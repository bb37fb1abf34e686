sage 1
type Query { id: string @key, text: string, n: int = 0 }
type out_row { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: out_row to jsonl("o.jsonl")
flow f {
  from queries
  emit Out { id: .id, text: .text } into out
}
