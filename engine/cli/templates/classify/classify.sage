sage 1

/// Sort the lines of a CSV file into kinds and count them.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")

enum Kind { bug, wish, praise, other }

type Ticket  { id: string @key, text: string }
type Sorted  { id: string @key, kind: Kind, text: string }
type PerKind { kind: Kind, tickets: int }

endpoint llm { url: llm_url, model: "Qwen/Qwen2.5-7B-Instruct" }

source tickets: Ticket from csv("tickets.csv")
sink sorted: Sorted to csv("sorted.csv")
sink kinds: PerKind to csv("kinds.csv")

prompt kind_of(text: string) -> Kind """
  Is this message a bug, a wish, praise, or something other?
  {{ text }}
"""

flow classify {
  from tickets
  where length(trim(.text)) > 0
  stage kind = generate(kind_of(.text)) on llm { max_tokens: 24 }
  emit Sorted { id: .id, kind: kind, text: .text } into sorted
  group by kind: kind { tickets: count() }
  emit PerKind { kind: .kind, tickets: .tickets } into kinds
}
