sage 1
import "../pipelines/heterogeneous.sage"
import "../pipelines/rag.sage"

/// How far does one scheduling operator reach? As many tasks for each node, from 16 to 1024 nodes.
experiment scale {
  jobs: [heterogeneous]
  slots: 8, arrivals: batch, policy: load_aware(spread)
  backends: [twin]
  sweep nodes in [
    "16"   { nodes: 16, tasks: 1_600 },
    "64"   { nodes: 64, tasks: 6_400 },
    "256"  { nodes: 256, tasks: 25_600 },
    "1024" { nodes: 1024, tasks: 102_400 },
  ]
  repeat: 3, seed: 10, baseline: 16
  report: [throughput, speedup, efficiency, latency_p99_ms, balance, decision_p99_us]
  quick { repeat: 1, nodes: [16, 64, 256] }

  claim "64 nodes do four times the work of 16"          { speedup[64] >= 3.6 }
  claim "256 nodes do at least half of what they could"  { efficiency[256] >= 50% }
  claim "1024 nodes do at least half of what they could" { efficiency[1024] >= 50% }
  claim "the nodes are balanced to 85 % at any size"     { balance >= 85% }
}

/// The same with an endpoint behind it: where does one model server become the end?
experiment scale_endpoint {
  jobs: [rag]
  tasks: 4000, slots: 8, arrivals: batch, policy: load_aware(spread)
  backends: [twin]
  sweep nodes in [16, 64, 256]
  repeat: 3, seed: 10, baseline: 16
  report: [throughput, speedup, efficiency, latency_p99_ms, balance]
  quick { tasks: 400, repeat: 1 }

  claim "beyond 64 nodes one model server sets the pace" { throughput[256] <= 110% * throughput[64] }
}
