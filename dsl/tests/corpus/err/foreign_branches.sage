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
  switch .kind {
    when question => { stage a = 1 }
  }
  while .size > 3 {
    stage b = 1
  }
  stage d = 1
  repeat 3 {
    stage c = 1
  }
  emit Out { id: .id, text: .text } into out
}
