sage 1

/// Workers that wait: standard input stays open and silent.
type Line { text: string }

source lines: Line from stdin()
sink seen: Line to jsonl("seen.jsonl")

flow idle {
  from lines
  stage pause = sleep(1ms)
  emit Line { text: .text } into seen
}
