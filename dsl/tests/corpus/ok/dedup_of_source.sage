sage 1
import "llm.sage"
type Query { id: string @key, text: string }
source queries: Query from generate(count: 3, text: "q")
sink out to csv("out.csv")
flow unique {
  from queries
  dedup by lower(.text), .id
  stage short = slice(.text, 0, 80)
  stage size = length(short)
  where size > 0
  stage answer = generate(short) on llm
  emit { id: .id, text: answer.text } into out
}
