sage 1
import "../pipelines/rag.sage"

/// What does the loss of a node cost, and what if it comes back?
///
/// In virtual time only: the engine ends a run when it loses a worker, it does not recover yet.
experiment failure {
  jobs: [rag]
  // Few slots, so that the nodes and not the endpoint set the pace.
  tasks: 400, nodes: 4, slots: 2, arrivals: batch
  backends: [twin]
  sweep loss in [
    none { failures: [] },
    back { failures: [node(2, at: 10s, for: 10s)] },
    one  { failures: [node(2, at: 10s)] },
    two  { failures: [node(2, at: 10s), node(3, at: 15s)] },
  ]
  sweep policy in [load_aware(spread), round_robin, least_work]
  repeat: 5, seed: 9, baseline: none
  report: [makespan_s, throughput, success, latency_p99_ms, balance]
  quick { tasks: 200, repeat: 1 }

  claim "no task is lost with a node" { success >= 100% }
  claim "one node of four costs at most a third more time" {
    makespan_s[one][load_aware] <= 4 / 3 * makespan_s[none][load_aware] + 5s
  }
  claim "a node that comes back is used again" {
    makespan_s[back][load_aware] < makespan_s[one][load_aware]
  }
  claim "two nodes of four cost at most twice the time" {
    makespan_s[two][load_aware] <= 2 * makespan_s[none][load_aware] + 5s
  }
}
