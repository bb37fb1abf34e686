sage 1
import "rag.sage"

experiment parts {
  jobs: [rag]
  swep nodes in [1, 4]
  sweep nodes [1, 4]
  claim balance > 0.5
  claim "no braces" balance > 0.5
  tasks 200
  nodes = 4
  repeat:
  quick: { tasks: 3 }
  jobs [rag]
}

experiment { jobs: [rag] }
experiment "quoted" { jobs: [rag] }
experiment Upper { jobs: [rag] }

experiment colon {
  jobs: [rag]
  quick: { tasks: 3 }
}
