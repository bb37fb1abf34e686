sage 1
import "../pipelines/rag.sage"
import "../pipelines/compute.sage"
import "../pipelines/mixed.sage"

/// Table 4: how many calls in flight are best?
///
/// The nodes hold twice as many tasks as the most calls of the sweep, so that the limit is what
/// decides.
experiment exp3 {
  jobs: [rag]
  tasks: 2000, nodes: 4, slots: 16, policy: load_aware(spread), arrivals: batch
  sweep concurrency in [1, 4, 8, 16, 32, auto]
  repeat: 3, seed: 3, baseline: auto
  report: [throughput, latency_mean_ms, latency_p99_ms]
  quick { tasks: 16, repeat: 1, concurrency: [1, 8, 32, auto] }

  // Published: 11.91, 11.74, 32.06, 20.63 and 12.67 tasks/s. In another place, for 1, 2, 4, 8 and 16:
  // 2.01, 3.93, 7.27, 13.30 and 16.61 tasks/s.
  claim "8 calls in flight are best"               { throughput[8] >= max(throughput) }
  claim "more than 8 cost throughput again"        { throughput[32] < throughput[8] }
  claim "8 calls are more than twice as fast as 1" { throughput[8] > 2 * throughput[1] }
  claim "auto finds 90 % of the best by itself"    { throughput[auto] >= 90% * max(throughput) }
}

/// Table 5: where does a task spend its time under light, medium and heavy load?
experiment exp3_split {
  jobs: [compute, mixed]
  tasks: 200, nodes: 4, slots: 16, policy: load_aware(spread), arrivals: batch
  sweep load in [light, medium, heavy]
  repeat: 5, seed: 3, baseline: light
  report: [
    latency_mean_ms, scheduling_mean_ms, queueing_mean_ms, execution_mean_ms, latency_p99_ms,
    scheduling_p99_ms, queueing_p99_ms, execution_p99_ms,
  ]
  quick { tasks: 20, repeat: 1 }

  claim "scheduling, queueing and execution are all of the latency" {
    abs(scheduling_mean_ms + queueing_mean_ms + execution_mean_ms - latency_mean_ms)
      <= 1% * latency_mean_ms
  }
  claim "heavy work takes longer than light work" {
    mean(execution)[light] < mean(execution)[heavy]
  }
}
