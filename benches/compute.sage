sage 1

/// A cheap flow over many records: lower-case, split into words, hash, keep about half.
/// `compute_single` is the same work written by hand.
param rows: string = "rows.csv"

type Row  { id: int @key, question: string }
type Kept { id: int @key, q: string, n: int, h: int }

source input: Row from csv(rows)
sink kept: Kept to jsonl("kept.jsonl")

flow compute {
  from input
  stage q    = lower(.question)
  stage list = words(q)
  stage h    = fnv1a(join(list, " "))
  where h % 2 == 0
  emit Kept { id: .id, q: q, n: length(list), h: h } into kept
}
