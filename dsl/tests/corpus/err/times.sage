sage 1

param day: time = "2026-11-01"
param none: time = "next week"
param feb: time = time("2026-02-30")
param late: time = time("2026-11-01T25:00")
param leap: time = time("2026-11-01T10:00:60Z")
param old: time = time("1500-01-01")
param number: time = time(20261101)

type Event { id: string @key, at: time = "2026-11-01T00:00:00Z", seen: time?, created: string }

source events: Event from jsonl("events.jsonl")
sink kept: Event to jsonl("kept.jsonl")

flow keep {
  from events
  where .at >= "2026-11-01"
  where "soon" < .at
  where .at > .created
  emit Event { id: .id, at: .created, seen: "2026-11-01", created: .created } into kept
}

test "rows" {
  given Event { id: "a", at: "2026-11-28", created: "" }
  expect kept[0].at == "2026-11-28"
}
