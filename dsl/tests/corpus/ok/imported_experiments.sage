sage 1
import "rag.sage"
import "compute.sage"
import "llm.sage"

/// Three pipelines that could not be one program.
experiment isolation {
  jobs: [rag, compute, llm { max_tokens: 64 }]
  together, stagger: 2s, tasks: 1000, nodes: 4
  load: light
  sweep sharing in [fair { fair: true }, in_order { fair: false }]
  baseline: in_order
  claim "sharing evens out" { throughput[fair][rag] > 0.5 * throughput[in_order][rag] }
}

/// In turn, over a param of one of them.
experiment loads {
  jobs: [compute, rag]
  sweep load in [light, medium, heavy]
  sweep level in [low { tasks: 100, nodes: 2, slots: 4 }, high { tasks: 500, nodes: 8, slots: 64 }]
  claim "more nodes, more work" { throughput[low] < throughput[high] }
  quick { tasks: 10, level: [low], load: [light, heavy] }
}
