sage 1
type Doc { id: string, text: string }
type Bare { text: string }
type Numbers { id: int @key, n: int }
index a: Doc from jsonl("d") { search: hybrd }
index b: Doc from jsonl("d") { search: hybrid(weight: 3.0, fuse: sum) }
index c: Bare from jsonl("d")
index d: Numbers from jsonl("d")
index e: Doc from jsonl("d") { embed: .txt, wiht: llm }
index g: Doc from parquet("d")
