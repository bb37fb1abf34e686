sage 1

/// Draw facts out of texts, as records of a declared type.
param llm_url: string = env("SAGE_LLM_URL", "sim:a100/qwen2.5-7b")

type Note   { id: string @key, text: string }
type Person { name: string, role: string? }
type Facts  { company: string, people: [Person], amount: float? }
type Row    { id: string @key, company: string, names: [string], amount: float? }

endpoint llm { url: llm_url, model: "Qwen/Qwen2.5-7B-Instruct" }

source notes: Note from jsonl("notes.jsonl")
sink rows: Row to jsonl("rows.jsonl")

prompt facts_of(text: string) -> Facts """
  Who is named in this note, with which role, of which company, and which amount?
  {{ text }}
"""

flow extract {
  from notes
  stage facts = generate(facts_of(.text)) on llm { max_tokens: 256, repair: 2 }
  emit Row { id: .id, company: facts.company, names: facts.people.name, amount: facts.amount } into rows
}

test "people and company become a row" {
  given Note { id: "n1", text: "Ada of Analytical Engines pays 12." }
  mock facts = { company: "Analytical Engines", people: [{ name: "Ada", role: "engineer" }], amount: 12.0 }
  expect rows.count == 1 and rows[0].company == "Analytical Engines"
  expect rows[0].names == ["Ada"]
}

test "answers of another form are asked for again" {
  given 20 of notes
  fault llm { wrong_schema: 20%, seed: 3 }
  expect llm.calls > 20 and rows.count > 15
}
