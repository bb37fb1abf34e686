sage 1

/// Answer questions from a folder of Markdown files.
param folder: string = "docs"
param top_k: int = 5
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")

type Question { id: string @key, text: string }
type Doc      { id: string @key, title: string, text: string }
type Answer   { id: string @key, text: string, sources: [string] }

endpoint llm { url: llm_url, model: "Qwen/Qwen2.5-7B-Instruct" }

source questions: Question from csv("questions.csv")
index docs: Doc from markdown(folder) { embed: .title + "\n" + .text, search: bm25 }
sink answers: Answer to jsonl("answers.jsonl")

prompt answer_from(context: string, question: string) -> string """
  Answer using only the context. Cite passage ids like [d12].
  Context:
  {{ context }}
  Question: {{ question }}
"""

flow rag {
  from questions
  stage hits   = search(docs, .text, k: top_k)
  stage best   = rerank(hits, .text, keep: 3)
  stage ctx    = context(best, budget: 1200 tokens)
  stage answer = generate(answer_from(ctx.text, .text)) on llm { max_tokens: 128 }
  emit Answer { id: .id, text: answer.text, sources: best.id } into answers
}

test "the answer cites the passage it was given" {
  given Question { id: "q1", text: "Who waters the plants?" }
  mock hits = [{ id: "d1", title: "Office", text: "Ada waters the plants.", score: 0.9 }]
  mock answer.text = "Ada [d1]"
  expect answers.count == 1 and answers[0].text == "Ada [d1]"
  expect answers[0].sources contains "d1"
}

test "every question is answered, also on a crowded server" {
  given 6 of questions
  fault llm { status_429: 30%, seed: 7 }
  expect answers.count == 6 and dead_letters.count == 0
}
