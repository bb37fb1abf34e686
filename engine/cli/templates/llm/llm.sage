sage 1

/// Ask a language model once for each record.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")

type Text    { id: string @key, text: string }
type Summary { id: string @key, text: string, tokens: int }

endpoint llm {
  url: llm_url
  model: "Qwen/Qwen2.5-7B-Instruct"
  concurrency: auto
  retry: backoff(max: 4, base: 200ms, cap: 10s)
}

source texts: Text from jsonl("texts.jsonl")
sink summaries: Summary to jsonl("summaries.jsonl")

prompt summary_of(text: string) -> string """
  Sum this up in one sentence:
  {{ text }}
"""

flow summarise {
  from texts
  stage answer = generate(summary_of(.text)) on llm { max_tokens: 64, timeout: 30s }
  emit Summary { id: .id, text: answer.text, tokens: answer.tokens } into summaries
}

test "each text has its summary" {
  given Text { id: "t1", text: "The scheduler keeps one queue." }
  mock answer.text = "One queue."
  expect summaries.count == 1 and summaries[0].text == "One queue."
  expect summaries[0].tokens > 0 and llm.calls == 0
}

test "a server that fails now and then costs no text" {
  given 10 of texts
  fault llm { status_500: 20%, seed: 2 }
  expect summaries.count == 10 and llm.retries > 0
}
