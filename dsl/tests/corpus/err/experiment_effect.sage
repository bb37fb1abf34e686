sage 1
import "rag.sage"
import "compute.sage"

experiment no_endpoint {
  jobs: [compute]
  endpoint: "sim:a100/qwen2.5-7b"
  sweep concurrency in [1, 4, auto]
  sweep size in [small { tasks: 10 }, large { tasks: 100 }]
  quick { endpoint: "sim:a100/qwen2.5-7b@2" }
}

experiment one_endpoint {
  jobs: [rag, compute { concurrency: 2 }]
  sweep concurrency in [1, 4]
}

experiment alone {
  jobs: [rag]
  nodes: 4
  report: [throughput, slowdown, speedup]
  claim "nothing" { isolation_spread < 5% and throughput > 1/s and max(efficiency) > 0.5 }
}

experiment in_turn {
  jobs: [rag, compute]
  sweep nodes in [4]
  report: [jain, speedup]
}

experiment has_all {
  jobs: [rag, compute]
  together
  sweep nodes in [1, 4]
  report: [jain, slowdown, isolation_spread, parallel_gain, speedup, efficiency]
  claim "far" { speedup[4] > 2 and jain[4] > 0.9 }
}

experiment shows_nothing {
  jobs: [rag]
  report: []
}
