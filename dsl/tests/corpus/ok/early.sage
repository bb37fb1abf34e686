sage 1
import "llm.sage"
type Event { id: string @key, text: string, at: time?, n: int }
source events: Event from jsonl("rows.csv")
sink out to csv("out.csv")
sink per_minute to csv("per_minute.csv")
flow early {
  from events
  where .n > 0
  stage short = slice(.text, 0, 80)
  route .n {
    when 1 => { stage kind = "one" }
    else => { stage kind = "more" }
  }
  dedup by lower(short), kind
  stage answer = generate(short) on llm
  where length(answer.text) > 3
  emit { id: .id, text: answer.text } into out
  group by kind window tumbling(1min, by: .at, lateness: 90s) { n: count() }
  emit into per_minute
}
flow later {
  from events
  stage answer = generate(.text) on llm
  dedup by answer.text
  emit { id: .id, text: answer.text } into out
}
