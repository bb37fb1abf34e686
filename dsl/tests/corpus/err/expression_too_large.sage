sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
fn a1(x: string) -> string = x + x + x + x + x + x + x + x
fn a2(x: string) -> string = a1(x) + a1(x) + a1(x) + a1(x) + a1(x) + a1(x)
fn a3(x: string) -> string = a2(x) + a2(x) + a2(x) + a2(x) + a2(x) + a2(x)
fn a4(x: string) -> string = a3(x) + a3(x) + a3(x) + a3(x) + a3(x) + a3(x)
fn a5(x: string) -> string = a4(x) + a4(x) + a4(x) + a4(x) + a4(x)
flow f {
  from queries
  stage a = a5(.text)
  emit Out { id: .id, text: .text } into out
}
