sage 1
param where_to: string = "out/../../x.csv"
type Row { id: string @key, n: int = 0 }
source rows: Row from csv("r.csv")
sink outside: Row to csv("../f.csv")
sink absolute: Row to jsonl("/data/rows.jsonl")
sink nothing: Row to csv("")
sink own: Row to csv("tasks.csv")
sink folder: Row to csv("parts/a.csv")
sink by_param: Row to csv(where_to)
sink first: Row to csv("a.csv")
sink second: Row to jsonl("a.csv")
sink within: Row to csv("deep/a.csv")
sink answers: Row to csv("journal")
sink again: Row to jsonl("retry-2.jsonl")
sink other: Row to jsonl("retry-two.jsonl")
flow copy {
  from rows
  emit Row { id: .id, n: .n } into first
  emit Row { id: .id, n: .n } into second
}
measure to csv("../g.csv") every 1s { latency }
measure to csv("a.csv") every 1s { latency }
measure to csv("plan.json") every 1s { latency }
measure to stdout every 1s { latency }
measure to csv("figures.csv.gz") every 1s { latency }
