sage 1
import "../pipelines/rag.sage"

/// Table 1: does the throughput grow with the nodes?
experiment exp1 {
  jobs: [rag]
  tasks: 2000, policy: load_aware(spread), arrivals: batch
  sweep nodes in [1, 4, 8, 16]
  repeat: 3, seed: 1, baseline: 1
  report: [throughput, speedup, efficiency, latency_mean_ms, latency_p99_ms, balance]
  quick { tasks: 200, repeat: 1 }

  // Published: 2.85, 5.80, 10.14 and 15.2 tasks/s; P99 of 68.2, 52.3, 39.9 and 35.2 s; balance of
  // 85.2, 93.4, 100 and 98.7 %. In another place: 11.4 times the throughput on 16 nodes.
  claim "throughput grows with every step" {
    throughput[1] < throughput[4] and throughput[4] < throughput[8] and throughput[8] < throughput[16]
  }
  claim "16 nodes complete 16 requests a second"       { throughput[16] >= 16/s }
  claim "16 nodes are 11.4 times as fast as one"       { speedup[16] >= 11.4 }
  claim "16 nodes are at least 5 times as fast as one" { speedup[16] >= 5 }
  claim "efficiency falls as nodes are added"          { efficiency[16] < efficiency[4] }
  claim "P99 falls with every step" {
    p99(latency)[1] > p99(latency)[4] and p99(latency)[4] > p99(latency)[8]
      and p99(latency)[8] > p99(latency)[16]
  }
  claim "P99 on 16 nodes is about half of that on one" { p99(latency)[16] <= 60% * p99(latency)[1] }
  claim "the nodes are balanced to 85 %"               { balance >= 85% }
}

/// The same beyond the machines of the plan.
experiment exp1_large {
  jobs: [rag]
  tasks: 2000, policy: load_aware(spread), arrivals: batch
  backends: [twin]
  sweep nodes in [1, 16, 32, 64, 128]
  repeat: 3, seed: 1, baseline: 16
  report: [throughput, speedup, efficiency, latency_mean_ms, latency_p99_ms, balance]
  quick { tasks: 400, repeat: 1 }

  claim "throughput grows beyond 16 nodes"     { throughput[32] > throughput[16] }
  claim "it does not fall up to 128 nodes"     { throughput[128] >= 95% * max(throughput) }
  claim "one endpoint does not feed 128 nodes" { efficiency[128] < 50% }
}

/// Table 1 hangs on how many tasks a node holds at once, which the plan leaves open.
///
/// The fewer, the longer the nodes are what is scarce, and not the endpoint that they share.
experiment exp1_slots {
  jobs: [rag]
  tasks: 2000, policy: load_aware(spread), arrivals: batch
  backends: [twin]
  sweep slots in [two { slots: 2 }, four { slots: 4 }, eight { slots: 8 }, sixteen { slots: 16 }]
  sweep nodes in [1, 4, 8, 16]
  repeat: 3, seed: 1, baseline: 1
  report: [throughput, speedup, efficiency, latency_p99_ms]
  quick { tasks: 400, repeat: 1 }

  // Published: a throughput of 2.85 tasks/s on one node, and 11.4 times as much on 16.
  claim "with 2 slots, one node does what was published" { throughput[two][1] >= 2/s and throughput[two][1] <= 3.7/s }
  claim "with 2 slots, 16 nodes are 11 times as fast as one" { speedup[two][16] >= 11 }
  claim "with 8 slots they are not 5 times as fast" { speedup[eight][16] < 5 }
}
