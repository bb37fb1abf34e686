sage 1
import "../pipelines/rag.sage"
import "../pipelines/compute.sage"

/// Table 3: which scheduling operator is best under medium load?
///
/// The three of the plan, then every other registered one.
experiment exp2b {
  jobs: [rag, compute]
  tasks: 200, nodes: 4, slots: 16, arrivals: batch
  sweep policy in [fifo, load_aware(spread), priority, all]
  repeat: 5, seed: 7, baseline: fifo
  report: [
    throughput, latency_p99_ms, balance, decision_p50_us, decision_p99_us, dispatch_p50_us,
    dispatch_p99_us,
  ]
  quick { tasks: 40, repeat: 1, policy: [fifo, load_aware, priority, least_work] }

  // Published: 19.53, 17.71 and 21.61 tasks/s; balance of 82.5, 100 and 100 %.
  claim "FIFO leaves the nodes unbalanced" { balance[fifo] < balance[load_aware] }
  claim "LoadAware balances best of the three" {
    balance[load_aware] >= balance[fifo] - 0.01 and balance[load_aware] >= balance[priority] - 0.01
  }
  claim "Priority balances as well as LoadAware" { abs(balance[priority] - balance[load_aware]) <= 0.01 }
  claim "Priority is the fastest of the three" {
    throughput[priority] > throughput[fifo] and throughput[priority] > throughput[load_aware]
  }
  claim "LoadAware is slower than FIFO"                 { throughput[load_aware] < throughput[fifo] }
  claim "the scheduling overhead is 1 ms in the median" { max(p50(dispatch)) <= 1ms }
  claim "the scheduling overhead stays under 1 ms"      { max(p99(dispatch)) < 1ms }
}
