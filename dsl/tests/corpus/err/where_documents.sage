sage 1
enum Lang { en, de }
type Query { id: string @key, text: string, lang: Lang, since: int? }
type Doc { id: string @key, text: string, lang: Lang, year: int, draft: bool? }
source s: Query from csv("s.csv")
index docs: Doc from markdown("d")
index notes: Doc from markdown("n")
sink out: Query to csv("out.csv")
flow f {
  from s
  stage a = search(docs, .text, where: docs.lnag == .lang)
  stage b = search(docs, .text, where: docs.year)
  stage c = search(docs, .text, where: .since > 3)
  stage d = search(docs, .text, where: docs.draft)
  stage e = search(docs, .text, where: notes.year > 2000)
  stage g = search(docs, .text, where: docs.lang == fr)
  stage h = search(docs, .text, wher: docs.year > 2000)
  stage i = search(docs, .text, where: docs.year > "2000")
  stage k = search(docs, .text, where: .lang == en)
  emit Query { id: .id, text: .text, lang: .lang, since: .since } into out
}
