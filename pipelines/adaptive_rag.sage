sage 1
import "rag.sage"

enum Level { simple, single, multi }

prompt level_of(q: string) -> Level """
  Classify: simple (no lookup), single (one lookup), multi (several lookups).
  {{ q }}
"""
prompt direct(q: string) -> string """{{ q }}"""
prompt follow_up(q: string, context: string) -> string """
  Original: {{ q }}
  Context: {{ context }}
  Reply with only the next search query.
"""

/// Classify first, spend retrieval and GPU time only where the question needs it.
flow adaptive_rag {
  from queries
  stage level = generate(level_of(.text)) on llm { max_tokens: 16, temperature: 0.0, lane: control, timeout: timeout }
  route level {
    when simple => {
      stage answer = generate(direct(.text)) on llm { max_tokens: 128, timeout: timeout }
      emit Answer { id: .id, text: answer.text, sources: [], tokens: answer.tokens } into answers
    }
    when single => {
      stage hits = search(docs, .text, k: 3)
      stage answer = generate(answer_from(join(hits.text, "\n"), .text)) on llm { max_tokens: 256, timeout: timeout }
      emit Answer { id: .id, text: answer.text, sources: hits.id, tokens: answer.tokens } into answers
    }
    when multi => {
      loop up to 3 until length(seen) >= 5 {
        carry query: string = .text
        carry seen: [Doc] = []
        stage hits = search(docs, query, k: 3)
        stage next = generate(follow_up(.text, join(hits.text, "\n"))) on llm { max_tokens: 64, timeout: timeout }
        carry query = next.text
        carry seen = union(seen, hits)
      }
      stage answer = generate(answer_from(join(seen.text, "\n"), .text)) on llm { max_tokens: 512, timeout: timeout }
      emit Answer { id: .id, text: answer.text, sources: seen.id, tokens: answer.tokens } into answers
    }
  }
}

schedule { policy: priority(aging: 10s), slots: 8, priority: .priority }

test "a simple question looks nothing up" {
  given Query { id: "q1", text: "What is two and two?" }
  mock level = simple
  mock simple.answer.text = "four"
  expect answers.count == 1 and answers[0].text == "four"
  expect length(answers[0].sources) == 0 and llm.calls == 0
}

test "a hard question looks up until it has seen enough" {
  given Query { id: "q1", text: "How do slots and policies go together?" }
  mock level = multi
  expect answers.count == 1 and length(answers[0].sources) >= 5
  expect llm.calls >= 3 and llm.calls <= 4
}

test "each question is answered once, whatever its level" {
  given 12 of queries
  expect answers.count == 12 and dead_letters.count == 0
}
