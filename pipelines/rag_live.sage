sage 1

/// Answer questions from a pipe, over a folder of Markdown files that may change meanwhile:
/// `printf '{"id":"q1","text":"how are retries limited?"}\n' | sage-flow run pipelines/rag_live.sage`
param notes: string = "../docs"
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param llm_model: string = "Qwen/Qwen2.5-7B-Instruct"

type Query  { id: string @key, text: string }
type Doc    { id: string @key, title: string, text: string }
type Answer { id: string @key, text: string, sources: [string] }

endpoint llm { url: llm_url, model: llm_model, concurrency: auto(max: 64) }

source queries: Query from stdin(format: jsonl)
index docs: Doc from markdown(notes) {
  search: hybrid(weight: 0.5)
  refresh: live(every: 1s)
}
sink answers: Answer to jsonl("live_answers.jsonl")

prompt answer_from(context: string, question: string) -> string """
  Answer using only the context. Say "not found" if it is absent.
  Context:
  {{ context }}
  Question: {{ question }}
"""

flow rag_live {
  from queries
  stage hits   = search(docs, .text, k: 10)
  stage best   = rerank(hits, .text, keep: 5)
  stage ctx    = context(best, budget: 1800 tokens)
  stage answer = generate(answer_from(ctx.text, .text)) on llm { max_tokens: 256, timeout: 120s }
  emit Answer { id: .id, text: answer.text, sources: best.id } into answers
}

schedule { policy: fifo, slots: 8 }

test "a question is answered from the notes" {
  given Query { id: "q1", text: "How are retries limited?" }
  mock answer.text = "by a budget"
  expect answers.count == 1 and length(answers[0].sources) == 5
  expect answers[0].text == "by a budget" and llm.calls == 0
}
