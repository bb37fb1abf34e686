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

test "kinds are counted, and empty lines are left out" {
  given [
    Ticket { id: "a", text: "it crashes" },
    Ticket { id: "b", text: "it hangs" },
    Ticket { id: "c", text: "thank you" },
    Ticket { id: "d", text: "  " }
  ]
  mock kind = if .text == "thank you" then praise else bug
  expect sorted.count == 3 and kinds.count == 2
  expect kinds.tickets contains 2 and sorted.kind contains praise
}

test "a crowded server costs time and no ticket" {
  given 12 of tickets
  fault llm { status_429: 30%, seed: 7 }
  expect sorted.count == 12 and llm.retries > 0
}
