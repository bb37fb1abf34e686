sage 1

/// Answer questions about sage-flow from its own documentation: embed -> retrieve -> rerank -> context -> generate.
param top_k: int = 10
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param llm_model: string = "Qwen/Qwen2.5-7B-Instruct"
param embed_url: string = llm_url
param embed_model: string = "BAAI/bge-small-en-v1.5"
param questions: string = "data/questions.csv"
param context_size: tokens = 1800 tokens
param max_tokens: int = 256
param timeout: duration = 120s

type Query  { id: string @key, text: string, priority: int = 0 }
type Doc    { id: string @key, title: string, text: string }
type Answer { id: string @key, text: string, sources: [string], tokens: int }

/// The shared GPU. Every worker process draws on the same budget.
endpoint llm {
  url: llm_url
  model: llm_model
  concurrency: auto(max: 256)
  retry: backoff(max: 4, base: 200ms, cap: 10s)
}
endpoint embedder { url: embed_url, model: embed_model }

source queries: Query from csv(questions)
index docs: Doc from markdown("../docs") {
  embed: .title + "\n" + .text, with: embedder
  search: hybrid(weight: 0.5)
}
sink answers: Answer to jsonl("answers.jsonl")

prompt answer_from(context: string, question: string) -> string """
  Answer using only the context. Cite passage ids like [d12]. Say "not found" if it is absent.
  Context:
  {{ context }}
  Question: {{ question }}
"""

flow rag {
  from queries
  stage qvec   = embed(.text) on embedder { batch: 64, linger: 5ms }
  stage hits   = retrieve(docs, qvec, k: top_k)
  stage best   = rerank(hits, .text, keep: 5)
  stage ctx    = context(best, budget: context_size)
  stage answer = generate(answer_from(ctx.text, .text)) on llm { max_tokens: max_tokens, timeout: timeout }
  emit Answer { id: .id, text: answer.text, sources: best.id, tokens: answer.tokens } into answers
}

schedule { policy: load_aware(spread), slots: 8, priority: .priority }

slo {
  p99(latency) < 60s
  success >= 99.5%
}

test "cites the passage it was given" {
  given Query { id: "q1", text: "Who wrote timely dataflow?" }
  mock hits = [{ id: "d1", text: "Timely was written by Frank McSherry.", score: 0.9 }]
  mock answer.text = "Frank McSherry [d1]"
  expect answers.count == 1
  expect answers[0].sources contains "d1"
}

test "the documentation answers a question about itself" {
  given Query { id: "q1", text: "Which file holds the dead letters of a run?" }
  expect answers.count == 1 and length(answers[0].sources) == 5
  expect llm.calls == 1 and embedder.calls == 1
  expect p99(latency) < 10s
}

test "no record is lost when the endpoint throttles" {
  given 40 of queries
  fault llm { status_429: 30%, extra_latency: 500ms, seed: 7 }
  expect answers.count + dead_letters.count == 40
  expect llm.retries > 0
}
