sage 1
import "rag.sage"
import "compute.sage"

experiment stagger_alone { jobs: [rag, compute], stagger: 2s }
experiment stagger_swept { jobs: [rag, compute], sweep stagger in [0s, -1s, 2] }
experiment fair_alone { jobs: [rag { share: 2 }, compute], fair: true }
experiment one_job { jobs: [rag], together: true }
experiment share_of_all { jobs: [rag, compute], together, share: 2 }
experiment share_of_none { jobs: [rag { share: 0 }, compute { share: "2" }], together }
