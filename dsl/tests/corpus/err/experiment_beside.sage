sage 1
import "rag.sage"

/// Nothing here but the experiment and what it uses has an effect.
param size: int = 100
param top_k: int = 5
param unit_less: duration = 5
type Task { id: string @key }
sink out: Task to csv("out.csv")
schedule { policy: fifo }
slo { p99(latency) < 10s }

experiment beside { jobs: [rag], tasks: size, nodes: sizes }
