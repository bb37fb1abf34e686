sage 1
enum None {}
type Nothing {}
type Event { name: string, at: time? }
type Deep { events: [Event] }
type Query { id: string @key, text: string }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b" }
prompt a(q: string) -> vector """{{ q }}"""
prompt b(q: string) -> Deep """{{ q }}"""
prompt c(q: string) -> [duration] """{{ q }}"""
prompt d(q: string) -> None """{{ q }}"""
prompt e(q: string) -> Nothing? """{{ q }}"""
prompt f(q: string) -> Evnt """{{ q }}"""
prompt g(q: string) -> tokens """{{ q }}"""
prompt h(q: string) -> bytes """{{ q }}"""
flow f {
  from queries
  stage x = generate(a(.text)) on llm
  stage y = generate(f(.text)) on llm
  emit Out { id: .id, text: y.anything + x.text } into out
}
