sage 1
enum Level { simple, hard }
type Row { id: string @key, at: time, made: datetime, day: date?, n: int?, level: Level = "simple" }
type Out { id: string, text: string, level: Level }
source rows: Row from csv("r.csv")
sink out: Out to csv("o.csv")

flow habits {
  from rows
  stage early = late + "x"
  stage late = .id
  where .n is null
  where .n is not null and .at < now()
  where .level == "Hard" or .level in ["simple"]
  stage text = .n == 3 ? "three" : "other"
  stage all = (.n ?? 0) > 3 ? 1 : .n == 2 ? 2 : 3
  emit Out { id: .id, text: text, level: .id } into out
}

slo {
  p99(latency) < "10s"
  success > "often"
}

flow windows {
  from rows
  group window hopping(10min, 1min, by: .at) { n: count() }
  emit { n: .n } into other
}

flow hops {
  from rows
  group window hopping(10min, by: .at) { n: count() }
  emit { n: .n } into other
}
sink other to csv("p.csv")
