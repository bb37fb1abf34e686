sage 1
import "rag.sage"
import "compute.sage"

experiment misspelt {
  jobs: [rag]
  taks: 200
  workers: 4
  scheduler: fifo
  colour: red
  sweep: [1, 2]
  together: yes
}

experiment values {
  jobs: [rag]
  tasks: 0, nodes: -1, slots: 100_000
  concurrency: unlimited
  queue: 5s
  deadline: 30
  endpoint: "sim:a100/qwen2.5-8b"
  repeat: 0
  seed: -1
  policy: fifoo
}

experiment more_values {
  jobs: [rag]
  endpoint: "localhost:8000"
  concurrency: auto(max: 5)
  policy: priority(agin: 5s)
  speeds: []
  together: 1
  backends: twin
}

experiment twice {
  jobs: [rag]
  nodes: 4
  nodes: 8
  policy: fifo
  schedule.policy: priority
  jobs: [compute]
  quick { tasks: 4 }
  quick { tasks: 5 }
  backends: [twin, twin, cluster]
}
