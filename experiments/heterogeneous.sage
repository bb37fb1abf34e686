sage 1
import "../pipelines/heterogeneous.sage"

/// Which policy copes best with light, medium and heavy records in one stream?
experiment heterogeneous {
  jobs: [heterogeneous]
  tasks: 4000, nodes: 2, slots: 8, arrivals: poisson(400/s)
  sweep policy in [fifo, load_aware(spread), priority, all]
  repeat: 5, seed: 6, baseline: fifo
  report: [latency_mean_ms, latency_p50_ms, latency_p99_ms, throughput, balance, busy_balance]
  quick {
    tasks: 400, repeat: 1
    policy: [fifo, load_aware, priority, least_work, shortest_first]
  }

  claim "the shortest first gives the least mean latency" {
    mean(latency)[shortest_first] <= 101% * min(latency_mean_ms)
  }
  claim "the shortest first makes the last wait longer than order of arrival" {
    p99(latency)[shortest_first] >= p99(latency)[fifo]
  }
  claim "counting work balances the time better than counting tasks" {
    busy_balance[least_work] >= busy_balance[load_aware]
  }
  claim "priority for light records lowers the median" { p50(latency)[priority] <= p50(latency)[fifo] }
}

/// The same records all at once: the order alone decides, arrivals do not.
experiment heterogeneous_batch {
  jobs: [heterogeneous]
  tasks: 4000, nodes: 4, slots: 8, arrivals: batch
  sweep policy in [fifo, load_aware(spread), priority, all]
  repeat: 5, seed: 6, baseline: fifo
  report: [latency_mean_ms, latency_p50_ms, latency_p99_ms, makespan_s, balance, busy_balance]
  quick { tasks: 400, repeat: 1, policy: [fifo, load_aware, priority, least_work, shortest_first] }

  claim "the shortest first gives the least mean latency" {
    mean(latency)[shortest_first] <= 101% * min(latency_mean_ms)
  }
  claim "another order costs at most a tenth of the throughput" {
    throughput[shortest_first] >= 90% * throughput[fifo]
      and throughput[priority] >= 90% * throughput[fifo]
  }
}
