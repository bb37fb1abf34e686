sage 1
type Doc { id: string @key, text: string }
source docs: Doc from jsonl("rows.csv")
sink out to csv("out.csv")
flow f {
  from docs
  stage a = chunk(.text, size: 0 tokens)
  stage b = chunk(.text, size: 100 tokens, overlap: 60)
  stage c = chunk(.text, by: lines)
  stage d = chunk(.text, chunk: sentences)
  flat_map part = chunk(.text)
  emit { id: .id, a: a, b: b, c: c, d: d, part: part } into out
}
