sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  stage a = burn(gauss(3ms, 4ms))
  stage b = burn(uniform(3ms))
  stage c = burn(lognormal(mean: 20ms, cv: 5ms))
  stage d = burn(.n)
  emit Out { id: .id, text: .text } into out
}
