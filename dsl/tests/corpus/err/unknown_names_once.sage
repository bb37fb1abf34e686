sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
prompt ask(q: string) -> string """Answer {{ q }}"""
flow f {
  from queries
  stage a = generate(ask(.text)) on lm
  stage b = lenght(a.text)
  stage c = b + 1
  stage d = missing + c
  where d > 2
  emit Out { id: .id, text: c } into ouut
}
