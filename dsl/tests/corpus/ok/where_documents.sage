sage 1
enum Lang { en, de }
type Query { id: string @key, text: string, lang: Lang, since: int? }
type Doc { id: string @key, text: string, lang: Lang, year: int, tags: [string], draft: bool? }
type Found { id: string @key, ids: [string] }
fn recent(year: int, since: int?) -> bool = year >= (since ?? 2000)
source s: Query from csv("s.csv")
index docs: Doc from markdown("d")
sink out: Found to csv("out.csv")
flow f {
  from s
  stage low  = lower(.text)
  stage hits = search(docs, low, k: 3, where: docs.lang == .lang and recent(docs.year, .since) and not (docs.draft ?? false))
  stage more = search(docs, low, where: docs.tags contains "x" or docs.lang == en)
  emit Found { id: .id, ids: union(hits.id, more.id) } into out
}
