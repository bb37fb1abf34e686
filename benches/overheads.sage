sage 1

/// Tasks that ask for next to nothing, so that what is left is what the engine itself costs.
param url: string = "sim:a100/qwen2.5-7b@1000"
param model: string = "Qwen/Qwen2.5-7B-Instruct"
param tasks: int = 2000

type Task   { id: string @key, text: string }

endpoint llm { url: url, model: model, concurrency: 64 }

source numbers: Task from generate(count: tasks, text: "task {{ n }}")
sink outs: Task to jsonl("outs.jsonl")

flow waits {
  from numbers
  stage pause = sleep(1us)
  emit Task { id: .id, text: .text } into outs
}

flow asks {
  from numbers
  stage answer = generate(.text) on llm { max_tokens: 1 }
  emit Task { id: .id, text: answer.text } into outs
}

schedule { policy: load_aware(spread), slots: 8 }
