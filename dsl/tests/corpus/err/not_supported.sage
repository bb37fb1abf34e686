sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  join queries on .id
  loop up to 3 until true {
    stage b = 1
  }
  stage c = b + 1
  emit Out { id: .id, text: .text } into out
}
