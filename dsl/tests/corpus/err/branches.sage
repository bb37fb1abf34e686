sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  stage a = if .n > 0 then 1 else "x"
  stage b = match .n { 1 => "a", _ => 2 }
  stage c = [1, "x"]
  emit Out { id: .id, text: .text } into out
}
