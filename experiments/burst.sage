sage 1
import "../pipelines/rag.sage"
import "../pipelines/llm.sage"
import "../pipelines/heterogeneous.sage"

/// Does interactive traffic stay quick while a batch uses the same endpoint?
experiment burst {
  jobs: [
    chat = llm { tasks: 60, arrivals: poisson(4/s), share: 4 },
    bulk = rag { tasks: 240, arrivals: batch },
  ]
  together
  nodes: 4, slots: 16
  // Few calls in flight: there is a line at the gateway, and who is next in it matters.
  concurrency: 16
  sweep sharing in [weighted { fair: true }, in_order { fair: false }]
  repeat: 5, seed: 8, baseline: in_order
  report: [latency_p50_ms, latency_p99_ms, throughput, slowdown, makespan_s]
  quick { repeat: 1 }

  claim "a weight keeps the interactive job quick" {
    p99(latency)[chat][weighted] <= 50% * p99(latency)[chat][in_order]
  }
  claim "the batch pays for it with less than a fifth of its throughput" {
    throughput[bulk][weighted] >= 80% * throughput[bulk][in_order]
  }
}

/// Bursts within one stream: are urgent records served in time?
experiment burst_stream {
  jobs: [heterogeneous]
  tasks: 4000, nodes: 4, slots: 8, arrivals: burst(400, every: 1s)
  sweep policy in [fifo, priority, shortest_first, edf, slack]
  repeat: 5, seed: 8, baseline: fifo
  report: [latency_mean_ms, latency_p50_ms, latency_p99_ms, throughput]
  quick { tasks: 800, repeat: 1 }

  claim "priority halves the median of a burst"         { p50(latency)[priority] <= 50% * p50(latency)[fifo] }
  claim "the earliest deadline first lowers the median" { p50(latency)[edf] < p50(latency)[fifo] }
  claim "nothing is left behind between bursts"         { success >= 100% }
}
