sage 1

/// Answer questions of clients over HTTP, over a folder of Markdown files that may change meanwhile:
/// `curl http://127.0.0.1:8088/ask -d '{"text": "how are retries limited?"}'`
param listen: string = "127.0.0.1:8088"
param notes: string = "../docs"
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param llm_model: string = "Qwen/Qwen2.5-7B-Instruct"

type Query  { id: string @key, text: string, k: int = 5 }
type Doc    { id: string @key, title: string, text: string }
type Answer { id: string, text: string, sources: [string] }

endpoint llm { url: llm_url, model: llm_model, concurrency: auto(max: 64) }

source questions: Query from http(listen: listen, at: "/ask", max_requests: 64, deadline: 60s)
index docs: Doc from markdown(notes) {
  search: hybrid(weight: 0.5)
  refresh: live(every: 1s)
}
sink replies: Answer to http_reply()
sink asked: Answer to jsonl("asked.jsonl")

prompt answer_from(context: string, question: string) -> string """
  Answer using only the context. Say "not found" if it is absent.
  Context:
  {{ context }}
  Question: {{ question }}
"""

flow rag_service {
  from questions
  where length(.text) > 0
  stage hits   = search(docs, .text, k: 10)
  stage best   = rerank(hits, .text, keep: .k)
  stage ctx    = context(best, budget: 1800 tokens)
  stage answer = generate(answer_from(ctx.text, .text)) on llm { max_tokens: 256, timeout: 55s }
  emit Answer { id: .id, text: answer.text, sources: best.id } into replies
  emit Answer { id: .id, text: answer.text, sources: best.id } into asked
}

schedule { policy: fifo, slots: 8 }

test "a question is answered from the notes, and written down" {
  given Query { id: "q1", text: "How are retries limited?", k: 3 }
  mock answer.text = "by a budget"
  expect replies.count == 1 and length(replies[0].sources) == 3
  expect replies[0].text == "by a budget" and asked[0].text == "by a budget"
}

test "an empty question has no answer and costs nothing" {
  given Query { id: "q1", text: "" }
  expect replies.count == 0 and dead_letters.count == 0 and llm.calls == 0
}

test "every question is answered or dead when the endpoint throttles" {
  given [
    Query { id: "q1", text: "How are retries limited?" },
    Query { id: "q2", text: "What is a slot?" },
    Query { id: "q3", text: "Which file holds the dead letters?" }
  ]
  fault llm { status_429: 50%, seed: 3 }
  expect replies.count + dead_letters.count == 3 and llm.retries > 0
}
