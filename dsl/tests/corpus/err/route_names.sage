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
      stage answer = "a"
      stage size = 1
    }
    when order => {
      stage answer = "b"
      stage copy = answer
      stage wrong = alone
      stage size = "s"
    }
    when other => {
      stage answer = "c"
      stage alone = 3
    }
  }
  stage answer = "again"
  stage a = alone + 1
  stage b = size
  emit Out { id: .id, text: copy } into out
}
