sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
type Doc { id: string @key, title: string, text: string }
index docs: Doc from jsonl("d.jsonl")
prompt ask(q: string) -> string """Answer {{ q }}"""
prompt sum(parts: [string], n: int, note: string) -> string """
  {{ n }} of {{ parts | join(", ") }} {{ note }}
"""
flow f {
  from queries
  stage a = generate(ask(.text)) on llm
  stage b = generate(ask(.id)) on llm { max_tokens: 5, lane: control }
  stage h = search(docs, .text)
  stage c = generate(sum(h.text, .n, 3)) on llm
  stage d = generate("plain " + .text) on llm
  where .n > 3
  where length(a.text) > 2
  emit Out { id: .id, text: a.text + b.text + c.text + d.text } into out
}
schedule { policy: priority(aging: 5s), slots: 4, deadline: 30s, morsel: 1, queue: 500, priority: .n }
