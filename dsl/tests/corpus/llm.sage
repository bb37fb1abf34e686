sage 1

/// One generation for each question. Its names are those of rag.sage.
param llm_url: string = "sim:a100/qwen2.5-7b"
param max_tokens: int = 128

type Query  { id: string @key, text: string, priority: int = 0 }
type Answer { id: string @key, text: string, tokens: int }

endpoint llm { url: llm_url, model: "Qwen/Qwen2.5-7B-Instruct" }
source queries: Query from csv("data/questions.csv")
sink answers: Answer to jsonl("answers.jsonl")

flow llm {
  from queries
  stage answer = generate(.text) on llm { max_tokens: max_tokens }
  emit Answer { id: .id, text: answer.text, tokens: answer.tokens } into answers
}

schedule { policy: fifo, slots: 8 }
