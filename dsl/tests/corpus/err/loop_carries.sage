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
  carry x = 1
  loop up to 3 {
    stage a = 1
  }
  loop up to 3 {
    carry n = 1
    carry same = 2
    carry empty = []
    carry n: int = n + 1
    carry n = n + 2
    carry late = n
    carry empty = [n]
  }
  loop up to 3 until m > "x" {
    carry m: string = .text
    stage b = c + m
    route .kind {
      when question => { carry m = "y" }
      else => { stage z = 1 }
    }
    carry m = 3
  }
  loop up to 2 {
    carry text = .text
    carry text = lower(text)
  }
  emit Out { id: .id, text: .text } into out
}
