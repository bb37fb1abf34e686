sage 1
import "llm.sage"
type Doc { id: string @key, text: string, title: string, n: int }
source docs: Doc from jsonl("rows.csv")
sink out to csv("out.csv")
sink counts to csv("counts.csv")
sink sizes to csv("sizes.csv")
flow elements {
  from docs
  where .n > 0
  stage short = slice(.title, 0, 80)
  dedup by .text
  flat_map part = split(.text, "|")
  dedup by lower(part)
  stage answer = generate(short + part) on llm
  emit { id: .id, text: answer.text } into out
  group by part { n: count() }
  emit into counts
}
flow pieces {
  from docs
  stage parts = chunk(.text, by: sentences, size: 100 + .n, overlap: 30)
  where length(parts) > 1
  dedup by parts
  flat_map part = parts
  stage answer = generate(.title + part) on llm
  emit { id: .id, text: answer.text } into out
}
flow routed {
  from docs
  flat_map part = split(.text, "|")
  route .n {
    when 1 => { stage kind = "one" }
    else => { stage kind = "more" }
  }
  emit { id: .id, text: kind + part } into out
}
flow counted {
  from docs
  flat_map part = split(.text, "|")
  stage size = length(part)
  group by size { n: count() }
  emit into sizes
}
