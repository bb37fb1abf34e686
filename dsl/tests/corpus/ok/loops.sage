sage 1

/// Loops: with and without a condition, one in another, in an arm, and what they leave behind.
type Task { id: string @key, n: int, text: string }
type Doc { id: string @key, title: string, text: string }
type Out { id: string @key, sum: int, words: string, docs: [Doc] }

source tasks: Task from csv("tasks.csv")
index docs: Doc from jsonl("docs.jsonl")
sink outs: Out to jsonl("outs.jsonl")

flow rounds {
  from tasks
  stage limit = .n * 2
  loop up to 3 until sum > limit {
    carry sum: int = 0
    carry words = .text
    carry found: [Doc] = []
    stage hits = search(docs, words, k: 2)
    stage more = sum + length(hits)
    loop up to 2 {
      carry inner = more
      stage grown = inner + 1
      carry inner = grown * 2
    }
    carry sum = inner
    carry words = join(hits.title, " ")
    carry found = union(found, hits)
  }
  route .n {
    when 1 => {
      loop up to 2 until last == "" {
        carry last = words
        carry last = slice(last, 0, length(last) - 1)
      }
      stage tail = last
    }
    else => {
      stage tail = words
    }
  }
  emit Out { id: .id, sum: sum, words: tail, docs: found } into outs
}
