sage 1
import "rag.sage"
import "compute.sage"

experiment lists {
  jobs: [rag]
  sweep nodes in 4
  sweep slots in []
  sweep policy in fifo
  sweep deadline in [5s, 10]
}

experiment labels {
  jobs: [rag]
  sweep nodes in [1, 4, 4]
  sweep level in [low { slots: 4 }, low { slots: 8 }]
  sweep "quoted" in [1]
}

experiment labelled {
  jobs: [rag]
  sweep policy in [fifo, fifo, load_awar(spread), load_aware(sideways)]
  sweep nodes in [2, 4]
  sweep nodes in [8]
  sweep size in [small { tasks: 10, nodes: 1, job: 3 }, large { }]
}

experiment again {
  jobs: [rag]
  nodes: 4
  sweep nodes in [1, 2]
  sweep size in [small { nodes: 1 }, large { nodes: 3 }]
}

experiment overruled {
  jobs: [rag { tasks: 5 }, compute { tasks: 5 }]
  nodes: 4
  sweep tasks in [100, 200]
  sweep nodes in [1, 2]
}

experiment mixes {
  jobs: [rag, compute]
  sweep jobs in [[rag], [rag, compte], rag, [], [rag, rag]]
}

experiment large {
  jobs: [rag]
  sweep seed in [1, 2]
  sweep share in [1, 2]
}

experiment many {
  jobs: [rag], repeat: 1000
  sweep nodes in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
  sweep slots in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
}
