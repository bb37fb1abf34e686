sage 1
type Query { id: string @key, text: string, n: int? }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  where .n > 3
  stage a = ["x"][0]
  emit Out { id: .id, text: a } into out
}
