sage 1

/// Light, medium and heavy records in one stream, as a shared service sees them.
///
/// Each record is hashed in three stages. Of ten records about six are light, three are medium and
/// one is heavy; which is which follows from the id, so it is the same in every run.
param scale: int = 10

enum Load { light, medium, heavy }

type Item   { id: string @key, text: string }
type Digest { id: string @key, load: Load, digest: string }

source items: Item from generate(count: 2000, id: "item-{{ n }}", text: "item {{ n }}")
sink digests: Digest to csv("digests.csv")

fn load_of(id: string) -> Load = match abs(fnv1a(id) % 10) {
  0 => heavy
  1 => medium
  2 => medium
  3 => medium
  _ => light
}
fn rounds(load: Load) -> int = match load { light => 1_000, medium => 10_000, heavy => 100_000 }
fn urgency(load: Load) -> int = match load { light => 2, medium => 1, heavy => 0 }
fn patience(load: Load) -> duration = match load { light => 50ms, medium => 200ms, heavy => 1s }

flow heterogeneous {
  from items
  stage load = load_of(.id)
  stage a    = hash_chain(.text, rounds: scale * rounds(load))
  stage b    = hash_chain(a, rounds: scale * rounds(load))
  stage c    = hash_chain(b, rounds: scale * rounds(load))
  emit Digest { id: .id, load: load, digest: c } into digests
}

schedule {
  policy: load_aware(spread), slots: 8
  priority: urgency(load_of(.id))
  due: patience(load_of(.id))
  fair: load_of(.id)
}

test "every item is digested, most of them are light" {
  given 40 of items
  mock c = .id
  expect digests.count == 40 and dead_letters.count == 0
  expect success == 100% and digests[0].digest contains "item-"
}
