sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  let x = 3
  x = 4
  filter .n > 3
  stage y embed(.text)
  stage = 3
  stage on = 4
  wher .n > 3
  stage z = (1 + ) * 2
  return .n
  stage q = hash_chain(.text 3)
  param p: int = 3
  emit Out { id: .id, text: .text } into out
}
