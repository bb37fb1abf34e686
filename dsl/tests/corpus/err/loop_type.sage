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
  loop up to 3 {
    carry seen: [Out] = []
    stage hits = search(docs, .text)
    carry seen = hits.text
  }
  loop up to 3 {
    carry docs_of: [Mail] = []
    stage found = search(docs, .text)
    carry docs_of = union(docs_of, found)
  }
  emit Out { id: .id, text: .text } into out
}
