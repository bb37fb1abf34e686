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
  loop up to 0 {
    carry a = 1
    carry a = a + 1
  }
  loop up to 17 {
    carry b = 1
    carry b = b + 1
  }
  loop up to 3s {
    carry c = 1
    carry c = c + 1
  }
  loop 3 {
    carry d = 1
    carry d = d + 1
  }
  emit Out { id: .id, text: .text } into out
}
