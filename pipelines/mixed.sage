sage 1
import "rag.sage"
import "compute.sage"

/// Compute, then retrieve and answer, then compute again: CPU and GPU work in one record's life.
param load: Load = light

type Mixed { id: string @key, text: string, before: string, after: string }

sink results: Mixed to jsonl("mixed.jsonl")

flow mixed {
  from queries
  stage before = hash_chain(.text, rounds: rounds(load))
  stage qvec   = embed(.text) on embedder { batch: 64, linger: 5ms }
  stage hits   = retrieve(docs, qvec, k: top_k)
  stage best   = rerank(hits, .text, keep: 5)
  stage ctx    = context(best, budget: 1800 tokens)
  stage answer = generate(answer_from(ctx.text, .text)) on llm { max_tokens: 256, timeout: 120s }
  stage after  = hash_chain(answer.text, rounds: rounds(load))
  emit Mixed { id: .id, text: answer.text, before: before, after: after } into results
}

schedule { policy: load_aware(balanced), slots: 8, priority: .priority }

test "hashes before and after the answer" {
  given Query { id: "q1", text: "Who decides where a task runs?" }
  mock hits = [{ id: "d1", text: "The scheduling operator decides where a task runs." }]
  mock answer.text = "the scheduling operator"
  expect results.count == 1 and results[0].text == "the scheduling operator"
  expect results[0].before != results[0].after
}
