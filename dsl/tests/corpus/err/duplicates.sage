sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
param out: int = 3
type Query { a: int, a: int }
enum E { x, x }
flow f {
  from queries
  stage a = 1
  stage a = 2
  stage text = 3
  emit Out { id: .id, id: .id, text: .text } into out
}
