sage 1
type Row { id: string @key, text: string, score: float, tags: [string] }
source rows: Row from jsonl("rows.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b@20", model: "m" }
sink out_places to jsonl("places.jsonl")
sink out_keys to jsonl("keys.jsonl")
sink out_nothing to jsonl("nothing.jsonl")
sink out_aggregates to jsonl("aggregates.jsonl")
sink out_after to jsonl("after.jsonl")
sink out_twice to jsonl("twice.jsonl")
sink out_unfinished to jsonl("unfinished.jsonl")

flow places {
  from rows
  route .text {
    when "a" => { group by .id { n: count() } }
    else => { where false }
  }
  emit into out_places
}

flow keys {
  from rows
  stage words = length(.text)
  group by lower(.text), .id { id: count(), n: sum(.score) }
  where words > 3
  emit into out_keys
}

flow nothing {
  from rows
  group by .id { }
  emit into out_nothing
}

flow aggregates {
  from rows
  group {
    a: mean(.score)
    b: sum(.text)
    c: count(.score)
    d: top_k(.text)
    e: quantile(.score, 95)
    f: count() / 2
    g: max(.tags)
    h: top_k(.text, k: 3, of: .score)
    i: cuont()
    j: length(.text)
    k: top_k(.text, 0)
    l: sum(.score, .score)
    m: top_k(.text, 2, by: .tags)
  }
  emit into out_aggregates
}

flow after {
  from rows
  group by .id { n: count() }
  stage a = generate("hello") on llm
  stage b = sleep(1ms)
  route .n { else => { where .n > 1 } }
  loop up to 2 {
    carry x: int = 1
    carry x = x + 1
  }
  emit into out_after
  where .n > 3
}

flow unfinished {
  from rows
  emit into out_unfinished
  group by .id { n: count() }
}

flow twice {
  from rows
  emit { id: .id } into out_twice
  group by .id { n: count() }
  emit { id: .id } into out_twice
}
