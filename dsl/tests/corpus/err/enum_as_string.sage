sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
enum Level { low, high }
param level: Level = "low"
param other: Level = hihg
flow f {
  from queries
  where level == "low"
  emit Out { id: .id, text: .text } into out
}
