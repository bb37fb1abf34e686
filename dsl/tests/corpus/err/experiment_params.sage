sage 1
import "rag.sage"
import "compute.sage"

experiment params {
  jobs: [rag, compute]
  top_k: "ten"
  load: hevy
  sweep lod in [light, heavy]
  sweep chunk in [1, 2]
}

experiment swept {
  jobs: [rag, compute]
  sweep load in [light, hevy, "heavy"]
  sweep top_k in [5, 10 tokens, 2.5]
}
