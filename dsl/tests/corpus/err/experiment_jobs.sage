sage 1
import "rag.sage"
import "compute.sage"
import "other.sage"

experiment none { tasks: 200 }
experiment empty { jobs: [] }
experiment unknown { jobs: [ragg, hash] }
experiment one { jobs: rag }
experiment same { jobs: [rag, rag] }
experiment reserved { jobs: [all = rag] }
experiment colon { jobs: [first: rag] }
experiment of_all { jobs: [rag { together: true, repeat: 5, stagger: 2s, tasks: 1 }] }
experiment param { jobs: [rag { load: heavy }, compute { load: heavyy, top_k: 3 }] }
experiment same { jobs: [compute] }
