sage 1
/* not a comment */
type Query { id: string @key, text: string, tags: string[], more: List<string>, none: Optional[string] }
type Out { id: string @key, text: string }
endpoint llm { url: "sim:a100/qwen2.5-7b" }
source queries: Query from csv("q.csv")
sink out: Out to jsonl("o.jsonl")
prompt braces(question: string, context: string) -> string """
  {question} ${context} {{ question }}
"""
flow f {
  from queries
  where .text.length() > 0
  stage a = llm.generate(.text)
  stage b = f"hello"
  stage c = .text[0:10]
  stage d = generate(.text) on "llm"
  stage e = generate(.text) on llm(max_tokens: 8)
  stage g = slice(.text, start=0, 3)
  emit Out { id: .id, text: .text } into out
}
test "of a broken flow" {
  given queries
  mock a.text = "x"
  expect out.length == 1 and out.count == 1
}
