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
    when question => { stage a = "q" }
    when ordr => { stage a = "o" }
  }
  route .kind {
    when question => { stage b = "q" }
    when order => { stage b = "o" }
  }
  route .size {
    when 1 => { stage c = "q" }
  }
  route .tag {
    when "x" => { stage d = "q" }
    when 3 => { stage d = "o" }
  }
  emit Out { id: .id, text: .text } into out
}
