sage 1
type Query { id: string @key, text: string, n: int = 0 }
type Out { id: string @key, text: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
enum Level { low, mid, high }
param level: Level = mid
param ratio: float = 1
param pause: duration = 2 * 10ms
param names: [string] = ["a", "b"]
fn rank(x: int, y: int) -> int = if x > y then x - y else rank2(y)
fn rank2(y: int) -> int = match y { 0 => 1, _ => y * 2 }
flow f {
  from queries
  where .text contains "x" and not (.id in names) or .n >= 2
  stage a = rank(.n, 3) + rank(.n, length(.text))
  stage w = words(.text)
  stage first = w[0] ?? "none"
  stage share = .n * 1.5 + 10%
  stage big = level == high or level in [low, mid]
  stage pair = { left: .text, right: w }
  stage wait = sleep(pause)
  stage cost = burn(lognormal(20ms, cv: 0.5))
  where a > 2 and first != "x"
  where .n < 100
  emit Out { id: .id, text: first + to_string(a) + pair.left } into out if big
}
