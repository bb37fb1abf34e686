sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from generate(count: -3, text: "a")
sink out: Out to jsonl("o.jsonl")
param less: int = -2
endpoint llm { url: "sim:a100/qwen2.5-7b" }
flow f {
  from queries
  stage a = burn(-2s)
  stage b = burn(lognormal(-20ms, 0.5))
  stage c = burn(lognormal(20ms, -0.5))
  stage d = burn(uniform(5s, 2s))
  stage e = hash_chain(.text, rounds: less)
  stage g = generate(.text) on llm { temperature: -1, timeout: -1s, batch_tokens: -5 }
  emit Out { id: .id, text: e + g.text } into out
}
schedule { policy: priority(aging: -10s), slots: 5000, queue: 0, morsel: -1, deadline: 0s }
