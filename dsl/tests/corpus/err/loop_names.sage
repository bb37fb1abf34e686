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
  loop up to 3 until length(hits) > 2 {
    carry query = .text
    stage hits = search(docs, query)
    where .size > 1
    carry query = join(hits.text, " ")
  }
  emit Out { id: .id, text: query + join(hits.text, " ") } into out
  loop up to 2 {
    carry q = query
    where .size > 3
    emit Out { id: .id, text: q } into out
    carry q = lower(q)
  }
}
