sage 1
type Row { id: int @key, n: int, x: float? }
type Out { id: int, third: float, whole: int, share: float, ratio: float, half: float }
source rows: Row from csv("rows.csv")
sink outs: Out to stdout()
flow f {
  from rows
  // A share was meant.
  stage third: float = .n / 3
  // Whole numbers are meant.
  stage whole: int = .n / 3
  emit Out {
    id: .id,
    third: third,
    whole: whole,
    share: (.n + 1) / 2 * 100.0,
    ratio: to_float(.n) / 3,
    half: .x ?? 1 / 2,
  } into outs
}
