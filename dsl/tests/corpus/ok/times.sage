sage 1

param since: time = time("2026-11-01")
param until: time? = time("2026-12-01T00:00:00+01:00")
param grace: time = since + 2h

type Event { id: string @key, at: time = time("1970-01-01"), seen: time?, created: string = "2026-11-28" }
type Late  { id: string, at: time, after: duration }

source events: Event from jsonl("events.jsonl")
sink late: Late to jsonl("late.jsonl")

flow late_ones {
  from events
  where .at >= since and .at < time("2026-12-01 00:00")
  where not (.at in [time("2026-11-11"), time("2026-11-18")]) or .at > time(.created)
  emit Late { id: .id, at: .at, after: .at - since } into late if .at > grace
}

test "times can be written" {
  given Event { id: "a", at: time("2026-11-28T10:00:00.5Z") }
  expect late[0].at == time("2026-11-28T10:00:00.5Z")
  expect late[0].after > 10d
}
