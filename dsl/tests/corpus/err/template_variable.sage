sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
prompt ask(question: string) -> string """
  Answer this: {{ qestion }}
  {% for d in docs %}{{ d.text }}{% endfor %}
"""
flow f {
  from queries
  stage a = generate(ask(.text)) on llm
  emit Out { id: .id, text: a.text } into out
}
