sage 1
type Row { id: string @key, n: int }
source rows: Row from csv("rows.csv")
sink out: Row to csv("out.csv")
flow f {
  from rows
  stage nothing = null
  stage either = if .n > 1 then nothing else 3
  stage right: int? = null
  where either ?? 0 > 2 and nothing == null
  emit Row { id: .id, n: nothing } into out if right == null
}
