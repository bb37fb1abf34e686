sage 1
enum Kind { bug, wish, praise }
type Ticket { id: string @key, text: string, kind: Kind, score: float?, took: duration, day: string }
type PerKind { kind: Kind, day: string, n: int, bad: int, mean: float?, p90: duration, best: [string], share: float }
source tickets: Ticket from jsonl("tickets.jsonl")
sink kinds: PerKind to csv("kinds.csv")
sink rows to jsonl("rows.jsonl")
sink total to jsonl("total.jsonl")

flow per_kind {
  from tickets
  where length(.text) > 0
  stage words = length(.text)
  emit { id: .id, words: words } into rows
  group by .kind, day: slice(.day, 0, 7) {
    n:    count()
    bad:  count((.score ?? 1.0) < 0.5)
    mean: avg(.score)
    p90:  quantile(.took, 90%)
    best: top_k(.text, k: 3, by: words)
    all:  collect(.id)
    tags: distinct(.day)
    kinds: count_distinct(.text)
  }
  where .n > 1
  stage share = to_float(.bad) / to_float(.n)
  emit PerKind { kind: .kind, day: .day, n: .n, bad: .bad, mean: .mean, p90: .p90, best: .best, share: share } into kinds
  group { kinds: count(), n: sum(.n), low: min(.mean), high: max(share) }
  emit into total
}
