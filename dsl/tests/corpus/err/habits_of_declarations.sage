sage 1
int most = 3
string greeting = "Hello"
param int least = 1
param share float = 0.5
const limit = 10
let name = "x"
struct Answer { string id @key, text: string, int n = 0 }
record Note {
  @key id: string
  id2 string
  text string?
  at: DateTime
  Str title
  n: long = 0
  tags: string[]
  links: List<string>
  other: Optional<int>
  maybe: string | null
  before: ?int
  words: map<string, int>
  m: any
  f: Float @key = 0.5
}
class Row = { id: int primary key, LLM: string }
type On { id: string @primary, value: Boolean }
enum Switch { on, off }
enum from { a }
func double(x: int) -> int = x * 2
fn triple(int x) -> int = x * 3
fn half(x: float): float = x / 2.0
fn third(x: float) => x / 3.0
fn fourth(x: float) { return x / 4.0 }
def fifth(x):
prompt ask(string question) -> string """{{ question }}"""
endpoint LLM { url: localhost:8000, model: "m" }
endpoint big = { url: http://localhost:8000/v1, "model": "m", api_key: "$MY_KEY" }
source rows: [Row] = "rows.csv"
source notes: Note to jsonl("notes.jsonl")
sink answers: Answer from "answers.jsonl"
sink more: Answer into answers.csv
pipeline main { from rows }
flow other() { from rows }
flow third: { from rows }
schedule = { policy: fifo }
test short { expect 1 == 1 }
print("done")
