sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
flow f {
  from queries
  stage a = hash_chain(.text, round: 3)
  stage b = hash_chain(.text, 3, 4)
  stage c = hash_chain(rounds: 3)
  stage d = hash_chain(.text, text: .id)
  stage e = lower()
  stage g = join(items: ["a"], ",")
  emit Out { id: .id, text: .text } into out
}
