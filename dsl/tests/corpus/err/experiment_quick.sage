sage 1
import "compute.sage"

experiment quick_run {
  jobs: [compute]
  sweep nodes in [1, 4, 16]
  sweep policy in [fifo, load_aware(spread)]
  quick { nodes: 1, policy: [fif], tasks: 0, repeat: 0, seed: 3, task: 5 }
}
experiment kept {
  jobs: [compute]
  sweep nodes in [1, 4, 16]
  quick { nodes: [1, 1, 8], load: hvy }
}
