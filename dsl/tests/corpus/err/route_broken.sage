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
    when question => {
      stage = 3
      stage a = .txt
      emit Out { id: .id, text: b } into out
    }
    when order {
      stage c = 1
    }
    wehn other => {
      stage d = 1
    }
  }
  route .kind when question { }
  stage e = c + d
  emit Out { id: .id, text: a } into out
}
