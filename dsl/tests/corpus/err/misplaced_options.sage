sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m", slots: 8, max_tokens: 3, bad_rows: fail }
flow f {
  from queries
  emit Out { id: .id, text: .text } into out
}
schedule { policy: fifo, concurrency: 4, aging: 10s }
