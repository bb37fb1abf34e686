sage 1
type Query { id: string @key, text: string }
enum Level { simple, medium, hard }
type Person { name: string, age: int?, role: string = "none" }
type Facts { company: string, people: [Person], level: Level?, score: float, sure: bool }
type Out { id: string @key, level: Level, company: string, names: [string], first: string?, n: int, words: [string], maybe: Level?, person: Person, shown: string }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b" }
prompt level_of(text: string) -> Level """How hard is {{ text }}?"""
prompt facts_of(text: string, level: Level) -> Facts """Facts of {{ text }}, which is {{ level }}."""
prompt count_of(text: string) -> int """How many in {{ text }}?"""
prompt words_of(text: string) -> [string] """Words of {{ text }}"""
prompt maybe_of(text: string) -> Level? """If any: {{ text }}"""
prompt plain(text: string) """{{ text }}"""
flow f {
  from queries
  stage level = generate(level_of(.text)) on llm { lane: control, repair: 3 }
  where level == simple or level in [medium]
  stage facts = generate(facts_of(.text, level)) on llm
  stage n = generate(count_of(.text)) on llm { repair: 0 }
  stage list = generate(words_of(.text)) on llm { cache: content }
  stage maybe = generate(maybe_of(.text)) on llm
  stage asked = level_of(.text)
  stage said = generate(plain(level_of(.text))) on llm
  stage more = n + 1
  emit Out { id: .id, level: level, company: facts.company, names: facts.people.name,
    first: facts.people[0].name, n: more, words: list, maybe: maybe,
    person: Person { name: "x", age: null, role: match level { simple => "s", _ => "o" } },
    shown: asked + said.text } into out
}
