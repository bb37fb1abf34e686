sage 1
import "compute.sage"

experiment beyond { jobs: [compute], backends: [twin], nodes: 4, failures: [node(4, at: 5s)] }
experiment swept {
  jobs: [compute], backends: [twin], failures: [node(2, at: 5s)]
  sweep nodes in [2, 4]
}
experiment grouped {
  jobs: [compute], backends: [twin]
  sweep loss in [none { nodes: 2 }, one { nodes: 2, failures: [node(2, at: 5s)] }]
}
experiment forms {
  jobs: [compute], backends: [twin], nodes: 4
  sweep failures in [[2], [node(1)], [node(at: 3s)], [node(-1, at: 3s)], [node(1, at: 5)], [node(1, at: 5s, for: 0s)]]
}
experiment only { jobs: [compute], speeds: [1, 0.5] }
experiment speed { jobs: [compute], backends: [twin], speeds: [1.0, 0.0, -1.0] }
experiment not_a_list { jobs: [compute], backends: [twin], failures: node(1, at: 3s) }
