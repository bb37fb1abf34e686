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
      emit Out { id: .id, text: .text } into out
      where .size > 3
    }
    when order => {
      stage a = 1
    }
    else => {
      from mails
      route .size {
        when 1 => { emit Out { id: .id, text: .text } into out }
        else => { stage b = 2 }
      }
    }
  }
}
