sage 1
type Query { id: string @key, text: string }
source queries: Query from generate(count: 3, text: "q")
sink firsts: Query to csv("firsts.csv")
flow f {
  from queries
  stage size = length(.text)
  dedup by .text
  where size > 0
  emit into firsts
}
