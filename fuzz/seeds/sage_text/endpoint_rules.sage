sage 1
param servers: [string] = ["http://a:8000", "http://b:8000/v1"]
param target: duration = 2s
type Query { id: string @key, text: string }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint several {
  url: ["http://a:8000", "https://b/openai/v1", "http://c:8000/"]
  model: "m"
  concurrency: auto(max: 64, latency_target: target)
  limits: { requests: 3000/min, tokens: 10/s }
  retry: backoff(max: 6, base: 100ms, cap: 20s, budget: 25%)
  hedge: quantile(99.9%, budget: 20%)
  balance: prefix_affinity
  price: { input: 0.15/Mtok, output: 1 }
}
endpoint listed { url: servers, model: "m", balance: least_tokens, hedge: quantile(50%), concurrency: auto(latency_target: 500ms) }
endpoint mine { url: "sim:../profiles/my@gpu.toml@2.5", concurrency: auto(32), hedge: off, retry: backoff(budget: 100%) }
endpoint both { url: ["sim:a100/qwen2.5-7b@10", "sim:mine.toml", "sim:/abs/mine.toml@3"], retry: backoff(2, 30s) }
flow f {
  from queries
  stage a = generate(.text) on several { lane: control, cache: content, stream: true, stop: ["\n", "END"] }
  stage b = generate(a.text) on listed { lane: batch, cache: off, stop: "END", batch: 8, batch_tokens: 4096 tokens }
  stage c = generate(b.text) on mine { repair: 0, max_tokens: 1 }
  stage d = generate(c.text) on both
  emit Out { id: .id, text: d.text } into out
}
