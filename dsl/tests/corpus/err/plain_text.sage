sage 1
enum Level { simple, hard }
type Query { id: string @key, text: string }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b" }
prompt level_of(q: string) -> Level """{{ q }}"""
flow f {
  from queries
  stage a = generate("Be brief. " + level_of(.text)) on llm
  emit Out { id: .id, text: a.text } into out
}
