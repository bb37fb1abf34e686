sage 1
enum Kind { question, order, other }
type Mail { id: string @key, kind: Kind, text: string, size: int, tag: string? }
type Doc { id: string @key, text: string }
type Out { id: string @key, text: string }
source mails: Mail from csv("m.csv")
index docs: Doc from jsonl("d.jsonl")
sink out: Out to jsonl("o.jsonl")
flow f {
  from mails
  route .kind {
    when question => { stage a = "1" }
    when question => { stage a = "2" }
    else => { stage a = "3" }
    when order => { stage a = "4" }
  }
  route .size {
    when 1 => { stage b = "1" }
    when 1 => { stage b = "2" }
    when _ => { stage b = "3" }
  }
  route .kind { }
  emit Out { id: .id, text: a } into out
}
