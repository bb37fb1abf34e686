sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
prompt ask(q: string) -> string """Answer {{ q }}"""
sink spare to stdout()
endpoint spare2 { url: "http://x", model: "m" }
flow f {
  from queries
  stage a = generate(ask(.text)) on llm
  stage b = hash_chain(.text)
  emit Out { id: .id, text: .text } into out
}
