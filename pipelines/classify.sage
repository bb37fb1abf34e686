sage 1

/// Classify the rows of a CSV file with a model, and count them by label.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param tickets: string = "data/tickets.csv"

enum Label { billing, bug, howto, praise, other }

type Ticket   { id: string @key, text: string, minutes: float }
type Labelled { id: string @key, label: Label, text: string }
type OfLabel  { label: Label, tickets: int, mean_minutes: float, p90_minutes: float, longest: [string] }

endpoint llm {
  url: llm_url
  model: "Qwen/Qwen2.5-7B-Instruct"
  concurrency: auto(max: 256)
  retry: backoff(max: 4, base: 200ms, cap: 10s, budget: 10%)
}

source queue: Ticket from csv(tickets)
sink labelled: Labelled to csv("labelled.csv")
sink labels: OfLabel to csv("labels.csv")

prompt label_of(text: string) -> Label """
  What is this message to the support about? Reply with one label.
  Message: {{ text }}
"""

flow classify {
  from queue
  where length(trim(.text)) > 0
  stage label = generate(label_of(.text)) on llm { max_tokens: 16, temperature: 0.0, timeout: 120s }
  emit Labelled { id: .id, label: label, text: .text } into labelled

  group by label {
    tickets: count()
    mean: avg(.minutes)
    p90: quantile(.minutes, 90%)
    longest: top_k(.id, k: 3, by: .minutes)
  }
  emit OfLabel {
    label: .label
    tickets: .tickets
    mean_minutes: .mean
    p90_minutes: .p90
    longest: .longest
  } into labels
}

schedule { policy: load_aware(spread), slots: 8 }

test "each label is counted, and the longest tickets are named" {
  given [
    Ticket { id: "a", text: "paid twice", minutes: 3.0 },
    Ticket { id: "b", text: "it crashes", minutes: 20.0 },
    Ticket { id: "c", text: "it hangs", minutes: 40.0 },
    Ticket { id: "d", text: "  ", minutes: 1.0 }
  ]
  mock label = if .minutes > 10.0 then bug else billing
  expect labelled.count == 3 and labels.count == 2
  expect labels.mean_minutes contains 30.0 and labels.tickets contains 2
}
