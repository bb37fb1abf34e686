sage 1

param top_k: int = 3
type Query { id: string @key, text: string }
fn shout(text: string) -> string = upper(text) + "!"
source queries: Query from jsonl("data/queries.jsonl")
