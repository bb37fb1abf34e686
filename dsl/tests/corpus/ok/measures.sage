sage 1
param often: duration = 500ms
type Query { id: string @key, text: string }
source queries: Query from generate(count: 3, text: "q")
sink sizes to csv("sizes.csv")
flow sizes_of {
  from queries
  stage n = length(.text)
  emit { n: n } into sizes
}
measure to csv("figures.csv") every often {
  throughput, latency.p99 by node
  stage_time.max by stage, node
  balance, tasks_pending
}
measure to stdout { in_flight by node, execution }
