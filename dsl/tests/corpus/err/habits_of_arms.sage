sage 1
enum Kind { question, order, other }
type Row { id: string @key, kind: Kind, n: int }
type Out { id: string @key, n: int }
source rows: Row from csv("rows.csv")
sink out: Out to csv("out.csv")
flow f {
  from rows
  stage a = match .n { 1 -> 2, 2: 3, case 3 => 4, 4 | 5 => 6, else => 7 }
  stage b = match .n { 1 => 2, default => 3 }
  route .kind {
    case question => { stage c = 1 }
    elif order -> { stage c = 2 }
    default { stage c = 3 }
  }
  emit Out { id: .id, n: c } into out
}
flow g {
  from rows
  route .n {
    when > 1 => { stage c = 1 }
    when 2 => emit Out { id: .id, n: 1 } into out
    _ => { stage c = 3 }
  }
  route { when a => { stage c = 1 } }
  emit Out { id: .id, n: 1 } into out
}
test "t" {
  input Row { id: "1", kind: order, n: 1 }
  assert out.count == 1
}
