sage 1
import "llm.sage"
enum Op { put, delete }
type Event { id: string @key, text: string, at: int, op: Op = put }
source events: Event from jsonl("rows.csv")
source versions: Event from jsonl("rows.csv") { changes: "op" }
sink out to csv("out.csv")
flow of_answers {
  from events
  stage answer = generate(.text) on llm
  group window tumbling(1min, by: length(answer.text), lateness: 5min) { n: count() }
  emit into out
}
flow of_rows {
  from events
  group by .text { at: max(.at) }
  group window tumbling(1min, by: .at, lateness: 5min) { n: count() }
  emit into out
}
flow of_versions {
  from versions
  group window tumbling(1min, by: .at, lateness: 5min) { n: count() }
  emit into out
}
flow of_wrong_bounds {
  from events
  group window tumbling(1min, by: .at, lateness: 5) { n: count() }
  emit into out
}
flow of_small_bounds {
  from events
  group window tumbling(1min, by: .at, lateness: 10us) { n: count() }
  emit into out
}
flow of_no_bounds {
  from events
  group window tumbling(1min, by: .at, lateness: 0s) { n: count() }
  emit into out
}
