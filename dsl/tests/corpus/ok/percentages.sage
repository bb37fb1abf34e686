sage 1
type Task { id: string @key, n: int, part: float }
source tasks: Task from csv("tasks.csv")
sink outs: Task to jsonl("outs.jsonl")

/// What stands behind `%` says whether it is a percentage or a remainder.
flow shares {
  from tasks
  where .part >= 50% and .n % 2 == 0 or .part < 5%or .n %3 == 1
  stage kept = if .part > 90% then .n % 10 else .n%4
  stage odd = (7 % .n) + 9 % kept
  emit Task { id: .id, n: odd, part: 12.5% } into outs
}

experiment both {
  jobs: [shares]
  sweep nodes in [1, 2]
  claim "all of it, and fast" { success >= 100% and throughput > 1/s }
  claim "half of it" { success[1] >= 50% or success[2] >= 50% and balance[1] > 0 }
}
