//! Pages of flows that do not hold together.

use super::{Code, Within, page};

/// S04.
pub(super) const FLOWS: &[Code] = &[
    page(
        "S0401",
        "flow has no source",
        "A flow starts with `from source`, once: that says which records it is about and of which \
         type `.` is. Another source is brought in by a `join`.",
        Within::Flow,
        "emit Answer { id: \"a\", text: \"b\" } into answers",
        "from queries\nemit Answer { id: .id, text: .text } into answers",
    ),
    page(
        "S0402",
        "flow has no emit",
        "Without `emit ... into sink` nothing would come out, so all that is computed would be for \
         nothing. A flow may have several emits, into one sink or into many.",
        Within::Flow,
        "from queries\nstage n = length(.text)",
        "from queries\nstage n = length(.text)\nemit Answer { id: .id, text: to_string(n) } into answers",
    ),
    page(
        "S0403",
        "endpoint needed",
        "The stage calls a model server, and `on name` says which. So every place that costs time of \
         a GPU can be seen in the flow.",
        Within::Flow,
        "from queries\nstage answer = generate(.text)\nemit Answer { id: .id, text: answer.text } into answers",
        "from queries\nstage answer = generate(.text) on llm\nemit Answer { id: .id, text: answer.text } into answers",
    ),
    page(
        "S0404",
        "stage calls no endpoint",
        "`on` stands at stages that call an endpoint, and this one computes on the worker. An index \
         that is searched by vectors names its endpoint in its own block, by `with`.",
        Within::Steps,
        "stage hits = search(docs, .text) on llm\nstage best = rerank(hits, .text) on llm",
        "stage hits = search(docs, .text)\nstage best = rerank(hits, .text)",
    ),
    page(
        "S0405",
        "emits differ",
        "All emits into one sink send the same record, so that its file has one form. Write another \
         sink for another kind of row.",
        Within::Flow,
        "from queries\nemit Answer { id: .id, text: .text } into answers if .priority > 0\nemit Doc { id: .id, title: \"\", text: .text } into answers if .priority == 0",
        "from queries\nemit Answer { id: .id, text: .text } into answers if .priority > 0\nemit Answer { id: .id, text: \"\" } into answers if .priority == 0",
    ),
    page(
        "S0406",
        "name of a stage is taken",
        "Each stage adds a column with a name of its own, and a column is never written twice. So \
         what a name means does not depend on where in the flow it is read.",
        Within::Steps,
        "stage n = length(.text)\nstage n = n + 1",
        "stage n = length(.text)\nstage more = n + 1",
    ),
    page(
        "S0407",
        "declared but not used",
        "Nothing uses the declaration, so it has no effect: it is a warning. Often a flow names another one by \
         mistake; otherwise remove it.",
        Within::File,
        "sage 1\ntype Row { id: string @key }\nsource rows: Row from csv(\"rows.csv\")\nsource more: Row from csv(\"more.csv\")\nsink kept: Row to csv(\"kept.csv\")\nflow keep {\n  from rows\n  emit Row { id: .id } into kept\n}",
        "sage 1\ntype Row { id: string @key }\nsource rows: Row from csv(\"rows.csv\")\nsink kept: Row to csv(\"kept.csv\")\nflow keep {\n  from rows\n  emit Row { id: .id } into kept\n}",
    ),
    page(
        "S0408",
        "paid call is not used",
        "The stage calls an endpoint for each record, but nothing reads its column: every call would \
         be paid for nothing. Use the column or remove the stage.",
        Within::Steps,
        "stage answer = generate(.text) on llm",
        "stage answer = generate(.text) on llm\nwhere length(answer.text) > 0",
    ),
    page(
        "S0409",
        "no flow",
        "There is nothing to run in the file: it declares things, but no flow uses them. A file that \
         is only imported need not be checked by itself.",
        Within::File,
        "sage 1\ntype Row { id: string @key }",
        "sage 1\nimport \"common.sage\"\ntype Row { id: string @key }\nsource rows: Row from csv(\"rows.csv\")\nsink kept: Row to csv(\"kept.csv\")\nflow keep {\n  from rows\n  emit Row { id: .id } into kept\n}",
    ),
    page(
        "S0410",
        "filter after an emit",
        "Emits end a flow, so a record that `where` drops behind one would have been written \
         already. Put the filter before it; a condition on one of several rows is `emit ... if`.",
        Within::Flow,
        "from queries\nemit Answer { id: .id, text: .text } into answers\nwhere .priority > 0",
        "from queries\nemit Answer { id: .id, text: .text } into answers if .priority > 0",
    ),
    page(
        "S0411",
        "stage does not take these arguments",
        "The stage cannot make a column from values of these types; the message is the stage's own. \
         `sage-flow doc NAME` shows what it takes.",
        Within::Command,
        "stage all = context(.text)",
        "stage all = context(hits)",
    ),
    page(
        "S0412",
        "structured prompt is used as plain text",
        "The call of a prompt with a type of its own is part of a larger text, so its schema is not \
         sent and the stage answers with text. Give the call to the stage alone to get the type.",
        Within::Flow,
        "from queries\nstage said = generate(\"Be brief. \" + level_of(.text)) on llm\nemit Answer { id: .id, text: said.text } into answers",
        "from queries\nstage said = generate(level_of(.text)) on llm\nemit Answer { id: .id, text: to_string(said) } into answers",
    ),
    page(
        "S0413",
        "arms of a route do not fit",
        "Each arm names a constant of the type of the routed value, once. All variants of an enum \
         must be covered, so that no record is lost; of any other type the last arm is `else`.",
        Within::Steps,
        "route .level {\n  when simple => { stage n = 1 }\n}",
        "route .level {\n  when simple => { stage n = 1 }\n  else => { stage n = 2 }\n}",
    ),
    page(
        "S0414",
        "bound of a loop",
        "`loop up to N` goes round at most N times, and N is a whole number from 1 to 16, written \
         out: a loop is unrolled into the plan, and it ends whatever its condition does.",
        Within::Steps,
        "loop up to 100 {\n  carry n: int = 0\n  carry n = n + 1\n}",
        "loop up to 10 {\n  carry n: int = 0\n  carry n = n + 1\n}",
    ),
    page(
        "S0415",
        "carried value does not fit",
        "A loop begins with the first values of what it carries, `carry x: type = value`, and says \
         once what each is in the next round, `carry x = value`, in the body of the loop itself. \
         Without a next value every round would be the same.",
        Within::Steps,
        "loop up to 3 {\n  carry n: int = 0\n  stage m = n + 1\n}",
        "loop up to 3 {\n  carry n: int = 0\n  stage m = n + 1\n  carry n = m\n}",
    ),
    page(
        "S0416",
        "group does not fit here",
        "`group by key { name: aggregate }` is a step of the flow itself, over all records that come \
         to it. It has at least one aggregate, and a key that is computed has a name: \
         `group by day: slice(.at, 0, 10) { n: count() }`. Without `by` all records are one group.",
        Within::Flow,
        "from queries\ngroup by lower(.text) { n: count() }\nemit Count { n: .n } into counts",
        "from queries\ngroup by text: lower(.text) { n: count() }\nemit Count { n: .n } into counts",
    ),
    page(
        "S0417",
        "step behind a group",
        "Behind a group there is a row for each key, and no record that a call could be made for. \
         What may follow are `where`, stages with a plain expression, further groups and `emit`; \
         `.name` is a key or an aggregate. The same holds for `join`, `flat_map` and `dedup`, but for a \
         `dedup` with nothing in front of it that calls or waits, which is done while the source is \
         read.",
        Within::Flow,
        "from queries\ngroup { n: count() }\nstage said = generate(\"how many?\") on llm\nemit Count { n: .n } into counts",
        "from queries\nstage said = generate(.text) on llm\ngroup { n: sum(said.tokens) }\nemit Count { n: .n } into counts",
    ),
    page(
        "S0418",
        "aggregate does not fit",
        "An entry of a group is one aggregate of those that `sage-flow list aggregates` prints, with \
         the arguments of its signature: `n: count()`, `mean: avg(.score)`, \
         `p: quantile(.took, 0.9)`, `best: top_k(.title, k: 3, by: .score)`.",
        Within::Flow,
        "from queries\ngroup { n: sum(.text) }\nemit Count { n: .n } into counts",
        "from queries\ngroup { n: sum(length(.text)) }\nemit Count { n: .n } into counts",
    ),
    page(
        "S0419",
        "window does not fit",
        "A group by windows says how long they are and by which time. The time is a `time`, a \
         `duration`, or an int of milliseconds, and it comes from the record: windows go by the data \
         and not by the clock of the run. With `lateness: 5min` records that lie further behind the \
         newest one before them are left out; that is decided while the source is read, so the time is a \
         field or a plain expression over fields, and the source is no topic and has no `changes`.",
        Within::Flow,
        "from queries\ngroup window tumbling(1min) { n: count() }\nemit Count { n: .n } into counts",
        "from queries\ngroup window tumbling(1min, by: .at) { n: count() }\nemit Count { n: .n } into counts",
    ),
    page(
        "S0420",
        "changes do not fit here",
        "`changes: \"op\"` of a source names the field that says what became of the record with this \
         key, and a deletion is `delete`; so the record has a `@key`, and the field is a string or an \
         enum with `delete` in it. `mode: changes` of a sink is for rows that can change: those behind \
         a `group` or `dedup`, and those of a source with changes.",
        Within::Declarations,
        "source orders: Query from jsonl(\"orders.jsonl\") { changes: \"op\" }",
        "type Order { id: string @key, op: string }\nsource orders: Order from jsonl(\"orders.jsonl\") { changes: \"op\" }",
    ),
    page(
        "S0421",
        "join does not fit",
        "`join customers on .customer == customers.id` gives each row the record of another source \
         whose field equals its key, as the column `customers`; `join left` keeps rows without one. On \
         the right of `==` stands a field of that source, of the same type as the left side. The \
         source is a file: it is read when the run begins.",
        Within::Flow,
        "from queries\njoin customers on .id\nemit Answer { id: .id, text: customers.name } into answers",
        "from queries\njoin customers on .id == customers.id\nemit Answer { id: .id, text: customers.name } into answers",
    ),
    page(
        "S0422",
        "`flat_map` of what is no list",
        "`flat_map word = words(.text)` makes a row of each element of a list, with the element in \
         the column `word`. A text is no list; `words` and `split` make one of it.",
        Within::Flow,
        "from queries\nflat_map word = .text\nemit Answer { id: .id, text: word } into answers",
        "from queries\nflat_map word = words(.text)\nemit Answer { id: .id, text: word } into answers",
    ),
    page(
        "S0423",
        "`dedup` by what all records share",
        "Of the records with one key `dedup` keeps the first. A key that reads nothing of the record \
         is the same for all of them, so a single one would be left of the source.",
        Within::Flow,
        "from queries\ndedup by 5\nemit Answer { id: .id, text: .text } into answers",
        "from queries\ndedup by .text\nemit Answer { id: .id, text: .text } into answers",
    ),
    page(
        "S0424",
        "no room for a structured answer",
        "A prompt with a type of its own is answered in JSON, also for a single word of an enum: \
         `{\"value\":\"simple\"}`. An answer that `max_tokens` cuts off is no JSON; it is asked for again \
         and fails again, and is paid for each time. It is a warning, since how long a token is \
         depends on the model.",
        Within::Flow,
        "from queries\nstage kind = generate(level_of(.text)) on llm { max_tokens: 4 }\nemit Answer { id: .id, text: to_string(kind) } into answers",
        "from queries\nstage kind = generate(level_of(.text)) on llm { max_tokens: 16 }\nemit Answer { id: .id, text: to_string(kind) } into answers",
    ),
    page(
        "S0425",
        "parameter of a prompt is not used",
        "The text of the prompt does not name the parameter, so the model is never told its value. Only \
         `{{ name }}` stands for a value; `{ name }` and `name` alone are text. It is a warning, since \
         the prompt can be sent as it is.",
        Within::Declarations,
        r#"prompt thanks(name: string, reason: string) -> string """Thank {{ name }} for the reason.""""#,
        r#"prompt thanks(name: string, reason: string) -> string """Thank {{ name }} for {{ reason }}.""""#,
    ),
];
