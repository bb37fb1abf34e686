sage 1
type Query { id: string @key, text: string }
type Counted { kind: string, n: int }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
source queries: Query from generate(count: 3, text: "q")
sink out to csv("out.csv")
sink counted: Counted to csv("counted.csv")
sink narrow: Query to csv("narrow.csv")
flow f {
  from queries
  stage n = count()
  stage best = top_k(.text, k: 3)
  stage answer = generate(.text) on llm { timeout: 0s }
  emit { n: 1 } into out
}
flow g {
  from queries
  stage kind = .text
  group by kind { n: count(.nothing) }
  emit into counted
}
flow h {
  from queries
  stage id2 = length(.text)
  dedup by .text
  emit { id: .id, text: id2 } into narrow
  emit { id: .id } into narrow
}
