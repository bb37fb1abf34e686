sage 1
type Row { id: string @key, kind: string, n: int, text: string, at: time }
source rows: Row from csv("rows.csv")
sink out: Row to csv("out.csv")
endpoint llm { url: "sim:a100/qwen2.5-7b" }
flow f {
  from rows -> out
  if .n > 1 { stage y = 1 }
  let a = .n
  let mut b: int = .n
  c: int = 3
  map d = .n + 1
  filter .n > 1
  where .n > 1 { stage z = 1 }
  select .id, .text
  sort by .n
  order by .n desc
  limit 10
  unique by .id
  distinct
  dedup .id
  group .kind { n: count() }
  groupby .kind { n: count }
  group by .kind { n: count(), most: max .n } having n > 1
  union others
  print(.text)
  generate(.text) on llm
  for row in rows
  try { stage y = 3 }
  assert .n > 1
  | where .n > 1
  stage when = .n
  stage x on llm = generate(.text)
  stage e = generate(.text) using llm with { timeout: 30 seconds }
  stage g = generate(.text) @ llm { timeout: "30s" }
  return .text
  emit Row { .id, .n } to out
  emit Row(id: .id) into out
  emit into out { id: .id }
  emit { ..., n: 1 } -> out
  emit out
}
