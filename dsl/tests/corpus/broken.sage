sage 1
type T { id: string @key }
source things: T from csv("things.csv")
sink out: T to csv("out.csv")
flow things {
  from things
  emit T { id: .ident } into out
}
