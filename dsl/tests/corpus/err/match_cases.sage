sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
enum Level { low, high }
param level: Level = low
flow f {
  from queries
  stage a = match level { low => 1 }
  stage b = match level { low => 1, hih => 2 }
  stage c = match .n { 1 => 2 }
  stage d = match .n { "x" => 2, _ => 3 }
  emit Out { id: .id, text: .text } into out
}
