sage 1
type Query { id: string @key, text: string }
source queries: Query from csv(“data/queries.csv”)
sink out to jsonl(“open)
flow f {
  from queries
  where .text != “a b”
  emit into out
}
