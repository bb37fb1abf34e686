sage 1
enum Level { simple, hard }
type Facts { company: string }
type Query { id: string @key, text: string }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b" }
prompt level_of(q: string) -> Level """{{ q }}"""
prompt facts_of(q: string) -> Facts """{{ q }}"""
flow f {
  from queries
  stage level = generate(level_of(.text)) on llm { repair: 9, lane: contrl, cache: contant, stream: 1 }
  stage facts = generate(facts_of(.text)) on llm { repair: -1, batch: 0, max_tokens: -5, timeout: -2s }
  where level == "simple"
  where level == smple
  stage k = retrieve(docs, .text, k: -1)
  stage t = level.text + facts.text
  emit Out { id: .id, text: facts.compny } into out
}
