sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
type Doc { id: string @key, title: string, text: string }
index docs: Doc from jsonl("d.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
prompt ask(q: string) -> string """Answer {{ q }}"""
flow f {
  from queries
  stage h = search(docs, .text, k: 3)
  stage a = generate(ask(h.text)) on llm
  emit Out { id: .id, text: a } into out
}
