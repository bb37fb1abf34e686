sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
prams x: int = 3
stage a = 3
def f(x): return x
endpoint { url: "x" }
fn f(x: int) -> int
prompt p(a string) -> string "x"
flow f {
  from queries
  emit Out { id: .id, text: .text } into out
}
