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
  loop up to 16 {
    carry a = 1
    loop up to 16 {
      carry b = 1
      loop up to 16 {
        carry c = 1
        stage d = c + 1
        carry c = d
      }
      carry b = c
    }
    carry a = b
  }
  emit Out { id: .id, text: .text } into out
}
