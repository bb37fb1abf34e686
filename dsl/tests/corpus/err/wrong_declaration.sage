sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
enum E { x, y }
flow f {
  from queries
  stage a = llm
  stage b = queries + 1
  stage c = out(3)
  emit E { x: 1 } into queries
}
