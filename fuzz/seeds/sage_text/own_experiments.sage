sage 1

/// Experiments beside the flow they run, and everything they may say.
enum Load { light, medium, heavy }
param load: Load = medium
param rounds: int = 1_000
param patience: duration = 5s

type Task   { id: string @key, tenant: string = "", due_in: duration = 5s, text: string }
type Digest { id: string @key, digest: string }

source tasks: Task from generate(count: 2000, text: "task {{ n }}")
sink digests: Digest to csv("digests.csv")

flow hashes {
  from tasks
  stage a = hash_chain(.text, rounds: match load { light => rounds, medium => 10 * rounds, heavy => 100 * rounds })
  emit Digest { id: .id, digest: a } into digests
}

schedule { policy: priority(aging: 5s), slots: 8, fair: .tenant, due: .due_in, affinity: length(.text) % 7 }

slo {
  p99(latency) < 10s
  success >= 99.5%
  throughput > 5/s, mean(latency) < patience
  latency_p50_ms + 1s <= latency_p99_ms or not balance < 80%
}

/// Does everything at once.
experiment everything {
  jobs: [small = hashes { tasks: 50, arrivals: poisson(3/s), share: 2 }, large = hashes { load: heavy }]
  together: true, stagger: 2s, fair: false
  tasks: 1_000, slots: 16, concurrency: auto, queue: 500, deadline: 30s
  endpoint: "sim:a100/qwen2.5-7b@10"
  speeds: [1.0, 0.5], failures: [node(2, at: 5s), node(3, at: 8s, for: 10s)]
  backends: [twin]
  sweep nodes in [4, 8, 1_6]
  sweep schedule.policy in [priority(aging: 1min), load_aware(spread), all]
  sweep pace in [slow { rounds: 10, arrivals: burst(50, every: 10s) }, "at once" { rounds: 1 }]
  repeat: 3, seed: 7, baseline: load_aware
  report: [throughput, latency_p99_ms, p50(latency), balance]
  quick { tasks: 40, repeat: 1, nodes: [4], schedule.policy: [fifo, load_aware] }

  claim "more nodes help" { throughput[16][fifo][slow] > 1.5 * throughput[4][fifo][slow] }
  claim "the policy does not matter much" {
    max(throughput[small]) - min(throughput[small]) < 5% * mean(throughput[small])
    and abs(balance[load_aware][small] - balance[fifo][small]) < 0.01
  }
  claim "all together are fast" { throughput["all"]["at once"] > 3/s }
  claim "decisions are fast" { max(decision_p99_us) < 1ms and p99(decision) / 2 < p99(latency) }
}

experiment mixes {
  sweep jobs in [[hashes]]
  sweep load in [light, heavy]
  sweep concurrency in [1, auto]
  sweep arrivals in [batch, constant(600/min), trace("times.txt")]
  sweep failures in [[], [node(0, at: 1s)]]
  nodes: 2
  backends: [twin]
  claim "light is light" { throughput[light] > throughput[heavy] }
}
