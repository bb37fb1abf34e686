sage 1

/// A cheap flow over many records: lower-case, split into words, hash, keep about half, count per key.
/// `compute_single` is the same work written by hand.
param rows: string = "rows.csv"

type Row  { id: int @key, question: string }
type Kept { id: int @key, q: string, n: int, h: int }

source input: Row from csv(rows)
type Key  { key: int }
sink kept: Kept to jsonl("kept.jsonl")
sink keys: Key to tally("keys.csv")

flow compute {
  from input
  stage q    = lower(.question)
  stage list = words(q)
  stage h    = fnv1a(join(list, " "))
  where h % 2 == 0
  emit Kept { id: .id, q: q, n: length(list), h: h } into kept
  emit Key { key: h % 256 } into keys
}
