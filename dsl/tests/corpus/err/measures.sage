sage 1
type Query { id: string @key, text: string }
source queries: Query from generate(count: 3, text: "q")
sink sizes to csv("sizes.csv")
flow sizes_of {
  from queries
  emit { n: length(.text) } into sizes
}
measure to csv("figures.csv") every 1s {
  throughputt
  latency.p98 by node
  latency_p99_ms
  latency by stage
  balance by node
  throughput.mean
  calls by worker
  calls by stage, nodes
}
measure to tally("more.csv") every 10ms { latency }
measure to jsonl("none.jsonl") { }
measure to csv("odd.csv") every 5 { p99(latency) }
