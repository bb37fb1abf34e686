sage 1
import "rows.csv"
type Query { id: string @key, text: string }
source queries: Query from generate(count: 3, text: "q")
sink out to csv("out.csv")
flow f {
  from queries
  emit into out
}
