sage 1

/// Three chained hash stages: CPU only, no endpoint. Light 1 000, medium 10 000, heavy 100 000 rounds.
enum Load { light, medium, heavy }
param load: Load = medium

type Task   { id: string @key, text: string }
type Digest { id: string @key, digest: string }

source tasks: Task from generate(count: 2000, text: "task {{ n }}")
sink digests: Digest to csv("digests.csv")

fn rounds(load: Load) -> int = match load { light => 1_000, medium => 10_000, heavy => 100_000 }

flow compute {
  from tasks
  where length(.text) > 0
  stage a = hash_chain(.text, rounds: rounds(load))
  stage b = hash_chain(a, rounds: rounds(load))
  stage c = hash_chain(b, rounds: rounds(load))
  emit Digest { id: .id, digest: c } into digests
}

schedule { policy: load_aware(spread), slots: 8 }

test "empty texts are left out, all others are hashed" {
  given [
    Task { id: "a", text: "one" },
    Task { id: "b", text: "" },
    Task { id: "c", text: "one" }
  ]
  expect digests.count == 2 and tasks_ok == 3
  expect digests[0].digest == digests[1].digest and digests[0].id != digests[1].id
}
