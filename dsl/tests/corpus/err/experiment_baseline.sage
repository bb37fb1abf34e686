sage 1
import "rag.sage"
import "compute.sage"

experiment unknown {
  jobs: [rag, compute]
  sweep policy in [fifo, load_aware(spread)]
  baseline: fifoo
}
experiment of_jobs {
  jobs: [rag, compute]
  sweep policy in [fifo, load_aware(spread)]
  baseline: rag
}
experiment two {
  jobs: [rag]
  sweep nodes in [1, 4]
  sweep concurrency in [1, 4]
  baseline: 4
}
experiment arguments {
  jobs: [rag]
  sweep policy in [load_aware(spread), load_aware(pack)]
  baseline: load_aware
}
experiment without_sweep { jobs: [rag], baseline: fifo }
