sage 1
type Doc { id: string @key, text: string }
endpoint e { url: "http://localhost:8000/v1", model: "m" }
source s: Doc from csv("s.csv")
index usual: Doc from markdown("d")
index model: Doc from markdown("d") { search: hybrid, with: e }
index graph: Doc from markdown("d") { search: vector(hnsw), with: e }
index both: Doc from markdown("d") { search: hybrid(vector: exact, fuse: weighted), with: e }
index ranks: Doc from markdown("d", chunk: tokens, size: 64 tokens, overlap: 32 tokens) {
  search: hybrid(vector: hnsw, text: bm25, fuse: rrf), with: e
}
sink out: Doc to csv("out.csv")
flow f {
  from s
  stage a = search(usual, .text)
  stage b = search(model, .text)
  stage c = search(graph, .text)
  stage d = search(both, .text)
  stage g = search(ranks, .text)
  stage h = a[0].text ?? b[0].text ?? c[0].text ?? d[0].text ?? g[0].text ?? ""
  emit Doc { id: .id, text: h } into out
}
