sage 1
import "llm.sage"
type Query { id: string @key, text: string }
source queries: Query from generate(count: 3, text: "q")
sink firsts: Query to csv("firsts.csv")
flow f {
  from queries
  stage answer = generate(.text) on llm
  stage size = length(answer.text)
  dedup by .text
  where size > 0
  emit into firsts
}
