sage 1
enum Level { simple, single, multi }
type Row { id: string @key, text: string }
type Judged { good: bool, reasons: [string], level: Level, explanation: string? }
source rows: Row from csv("r.csv")
sink out to csv("o.csv")
endpoint llm { url: "sim:a100/qwen2.5-7b" }
prompt level_of(q: string) -> Level """Level of {{ q }}"""
prompt judge(q: string) -> Judged """Judge {{ q }}"""
flow f {
  from rows
  stage level = generate(level_of(.text)) on llm { max_tokens: 4 }
  stage enough = generate(level_of(.text)) on llm { max_tokens: 5 }
  stage judged = generate(judge(.text)) on llm { max_tokens: 8 tokens }
  stage free = generate("free text") on llm { max_tokens: 1 }
  emit { id: .id, level: level, enough: enough, good: judged.good, text: free.text } into out
}
