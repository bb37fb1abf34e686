sage 1

/// Classify each question and take it apart: a word of an enum and a record, as structured output.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")
param questions: string = "data/questions.csv"

enum Topic { concepts, language, endpoint, cluster, measurement, other }

type Query   { id: string @key, text: string, priority: int = 0 }
type Facts   { subject: string, keywords: [string], needs_example: bool, seconds_to_answer: int? }
type Row     { id: string @key, topic: Topic, subject: string, keywords: [string], needs_example: bool }
type OfTopic { topic: Topic }

endpoint llm {
  url: llm_url
  model: "Qwen/Qwen2.5-7B-Instruct"
  concurrency: auto(max: 256)
  retry: backoff(max: 4, base: 200ms, cap: 10s, budget: 10%)
}

source queries: Query from csv(questions)
sink rows: Row to jsonl("rows.jsonl")
sink topics: OfTopic to tally("topics.csv")

prompt topic_of(question: string) -> Topic """
  Which part of the manual answers this question? Reply with one topic.
  Question: {{ question }}
"""

prompt facts_of(question: string, topic: Topic) -> Facts """
  A reader asks about {{ topic }}: {{ question }}
  Give the subject, up to five keywords, whether an example would help, and how many seconds an
  answer takes to read, if that can be told.
"""

flow extract {
  from queries
  stage topic = generate(topic_of(.text)) on llm { max_tokens: 16, temperature: 0.0, timeout: 120s }
  stage facts = generate(facts_of(.text, topic)) on llm { max_tokens: 200, timeout: 120s }
  emit Row {
    id: .id
    topic: topic
    subject: facts.subject
    keywords: facts.keywords
    needs_example: facts.needs_example
  } into rows
  emit OfTopic { topic: topic } into topics
}

schedule { policy: load_aware(spread), slots: 8, priority: .priority }
