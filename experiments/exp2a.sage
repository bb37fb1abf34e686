sage 1
import "../pipelines/rag.sage"
import "../pipelines/compute.sage"

/// Table 2: what do more load and more nodes at once do to throughput and latency?
///
/// The published figures were measured with the compute pipeline, so both are run.
experiment exp2a {
  jobs: [rag, compute]
  policy: load_aware(spread), arrivals: batch
  sweep level in [
    low    { tasks: 100, nodes: 2, slots: 4 },
    medium { tasks: 200, nodes: 4, slots: 16 },
    high   { tasks: 500, nodes: 8, slots: 64 },
  ]
  repeat: 5, seed: 2, baseline: low
  report: [throughput, latency_mean_ms, latency_p99_ms, balance]
  quick { tasks: 40, repeat: 1 }

  // Published: 16.24, 12.49 and 10.14 tasks/s; P99 of 0.625, 9.96 and 39.9 s.
  claim "throughput falls as the load rises" {
    throughput[low] > throughput[medium] and throughput[medium] > throughput[high]
  }
  claim "P99 rises with the load" {
    p99(latency)[low] < p99(latency)[medium] and p99(latency)[medium] < p99(latency)[high]
  }
  claim "P99 under high load is more than 10 times that under low load" {
    p99(latency)[high] > 10 * p99(latency)[low]
  }
  claim "the nodes stay balanced to 95 %" { balance >= 95% }
}
