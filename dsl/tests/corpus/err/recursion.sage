sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
fn f1(x: int) -> int = f2(x)
fn f2(x: int) -> int = f1(x) + 1
param a: int = b
param b: int = a
type T { t: [T] }
flow f {
  from queries
  stage a = f1(.n)
  emit Out { id: .id, text: .text } into out
}
