sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
param most: rate = 600 / min
param more: rate = 2.5 /s
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
prompt ask(q: string) -> string """Answer {{ q }}"""
flow f {
  from queries
  stage a = generate(ask(.text)) on llm { timeout: 30 s, max_tokens: 5 }
  emit Out { id: .id, text: a.text } into out
}
