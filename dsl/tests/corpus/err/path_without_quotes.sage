sage 1
type Query { id: string @key, text: string }
source queries: Query from csv(data/queries.csv)
sink out to stdout()
flow f {
  from queries
  emit into out
}
