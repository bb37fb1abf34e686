sage 1

/// A large batch beside questions of people, who do not want to wait.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")

enum Origin { person, batch }

type Request { id: string @key, origin: Origin, text: string }
type Reply   { id: string @key, origin: Origin, text: string }

endpoint llm { url: llm_url, model: "Qwen/Qwen2.5-7B-Instruct" }

source requests: Request from csv("requests.csv")
sink replies: Reply to jsonl("replies.jsonl")

fn urgency(origin: Origin) -> int = match origin { person => 10, batch => 0 }

flow serve {
  from requests
  stage answer = generate(.text) on llm { max_tokens: 64, timeout: 60s }
  emit Reply { id: .id, origin: .origin, text: answer.text } into replies
}

// A task gains urgency while it waits, so the batch comes to its end as well.
schedule { policy: priority(aging: 5s), slots: 4, priority: urgency(.origin) }

slo { success >= 99% }

test "people and the batch are all answered" {
  given 40 of requests
  expect replies.count == 40 and dead_letters.count == 0
}

test "a reply says whose request it was" {
  given [
    Request { id: "b1", origin: batch, text: "one" },
    Request { id: "p1", origin: person, text: "two" }
  ]
  mock answer.text = "done"
  expect replies.origin contains person and replies.text contains "done"
}
