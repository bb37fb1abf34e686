sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
param key_url: string = env("SET_IN_TESTS", "x")
endpoint llm {
  url: "http://" + key_url
  model: "m"
  concurrency: 4
  limits: { requests: 100/s, tokens: 1000/min }
  retry: none
  price: { input: 0.15/Mtok, output: 0.6 }
  api_key: env("KEY")
}
index docs: Query from dir("a", "b") { text: .id + .text, search: hybrid(weight: 70%) }
flow f {
  from queries
  stage v = embed(.text)
  stage h = retrieve(docs, v, k: 3)
  stage a = generate(.text) on llm { temperature: 0.5 }
  emit Out { id: .id, text: a.text + join(h.id, ",") } into out
}
