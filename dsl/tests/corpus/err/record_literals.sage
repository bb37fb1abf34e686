sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  stage a = Out { id: .id, txt: "x" }
  stage b = { x: 1, y: "z" }
  stage c = b.z
  stage d = .n.x
  stage e = .text[0]
  emit Out { id: .id, text: .text } into out
}
