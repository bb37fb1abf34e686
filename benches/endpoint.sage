sage 1

/// One call for each numbered record against an endpoint whose service time is known.
param url: string = "http://127.0.0.1:8000"
param tasks: int = 2000
param timeout: duration = 30s

type Task   { id: string @key, text: string }
type Answer { id: string @key, text: string }

endpoint stub { url: url, model: "stub", concurrency: 64 }

source numbers: Task from generate(count: tasks, text: "id={{ n }} what is the capital of France?")
sink answers: Answer to jsonl("answers.jsonl")

flow endpoint {
  from numbers
  stage answer = generate(.text) on stub { api: completions, max_tokens: 16, timeout: timeout }
  emit Answer { id: .id, text: answer.text } into answers
}

schedule { policy: load_aware(spread), slots: 4 }
