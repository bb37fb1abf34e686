sage 1
type Query { id: string @key, text: string }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: ["sim:a100/qwen2.5-7b"], balance: prefix_affinity }
flow f {
  from queries
  stage a = generate(.text) on llm
  emit Out { id: .id, text: a.text } into out
}
