sage 1
enum Level { low mid, high }
type Row { id: string @key n: int = 1, s: string
  t: string u: float? }
source rows: Row from csv("r.csv")
sink out: Row to csv("o.csv")
endpoint llm { url: "sim:a100/qwen2.5-7b" concurrency: 4
  retry: 2 }
flow f {
  from rows
  emit Row { id: .id n: .n, s: .s t: .t
    u: .u } into out
}
measure to csv("m.csv") every 1s { latency.p99, throughput latency.p99
  calls by stage, node, stage
  calls by node, stage }
