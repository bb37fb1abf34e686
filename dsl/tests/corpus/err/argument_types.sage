sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
type Doc { id: string @key, title: string, text: string }
index docs: Doc from jsonl("d.jsonl")
flow f {
  from queries
  stage a = hash_chain(.n)
  stage b = hash_chain(.text, rounds: "3")
  stage h = search(docs, .text)
  stage r = rerank(h.text, .text)
  stage c = retrieve(queries, .text)
  stage d = retrieve(dogs, [1.0])
  stage e = context(h, budget: .text)
  emit Out { id: .id, text: .text } into out
}
