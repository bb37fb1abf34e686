sage 1

/// Work of the processor without a model: for studies of scheduling.
param tasks: int = 200
param rounds: int = 2_000

type Task   { id: string @key, text: string }
type Digest { id: string @key, digest: string }

source work: Task from generate(count: tasks, text: "task {{ n }}")
sink digests: Digest to csv("digests.csv")

flow compute {
  from work
  stage a = hash_chain(.text, rounds: rounds)
  stage b = hash_chain(a, rounds: rounds)
  emit Digest { id: .id, digest: b } into digests
}

schedule { policy: load_aware(spread), slots: 8 }

test "equal texts have equal digests" {
  given [Task { id: "a", text: "one" }, Task { id: "b", text: "one" }, Task { id: "c", text: "two" }]
  expect digests.count == 3
  expect digests[0].digest == digests[1].digest and digests[1].digest != digests[2].digest
}
