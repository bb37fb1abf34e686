//! Pages of values that do not fit.

use super::{Code, Within, page};

/// S03.
pub(super) const TYPES: &[Code] = &[
    page(
        "S0301",
        "types differ",
        "The value has another type than the place it stands in. Nothing is converted silently; \
         `to_string`, `to_int` and `to_float` convert, and `.text` of what a model has generated is \
         its text.",
        Within::Flow,
        "from queries\nemit Answer { id: .id, text: .priority } into answers",
        "from queries\nemit Answer { id: .id, text: to_string(.priority) } into answers",
    ),
    page(
        "S0302",
        "operator does not take these types",
        "Both sides of an operator must fit it. Int and float mix; nothing else is converted \
         silently, so a number is joined to a text by `to_string`.",
        Within::Steps,
        r#"stage label = "priority " + .priority"#,
        r#"stage label = "priority " + to_string(.priority)"#,
    ),
    page(
        "S0303",
        "unit is missing",
        "Units are part of the number: `30s`, `64MiB`, `600/min`, `99.5%`. A bare number would leave \
         open whether seconds or milliseconds are meant.",
        Within::Declarations,
        "param wait: duration = 30",
        "param wait: duration = 30s",
    ),
    page(
        "S0304",
        "condition is not a bool",
        "`where`, `if` and `emit ... if` take a truth value. A number or a text is neither true nor \
         false here; compare it with something.",
        Within::Steps,
        "where length(.text)",
        "where length(.text) > 0",
    ),
    page(
        "S0305",
        "branches have different types",
        "All branches of an `if` or a `match` have one type, which is the type of the whole. Convert \
         one of them, or use null with `T?` where nothing is meant.",
        Within::Steps,
        r#"stage size = if length(.text) > 9 then "long" else 0"#,
        r#"stage size = if length(.text) > 9 then "long" else "short""#,
    ),
    page(
        "S0306",
        "match does not fit",
        "Patterns are constants of the type of the value. All variants of an enum, or `_` for the \
         rest, must be covered, so that a new variant is not forgotten.",
        Within::Declarations,
        "fn weight(level: Level) -> int = match level { simple => 1 }",
        "fn weight(level: Level) -> int = match level { simple => 1, hard => 10 }",
    ),
    page(
        "S0307",
        "constant needed",
        "The value is needed before any record is seen: literals, params and pure functions of them \
         will do. What depends on the record is an argument of a stage and not an option.",
        Within::Flow,
        "from queries\nstage answer = generate(.text) on llm { max_tokens: .priority }\nemit Answer { id: .id, text: answer.text } into answers",
        "from queries\nstage answer = generate(.text) on llm { max_tokens: 64 }\nemit Answer { id: .id, text: answer.text } into answers",
    ),
    page(
        "S0308",
        "stage inside of an expression",
        "A stage call adds a column, so it stands alone: `stage name = call(...)`. Other expressions \
         then use its name. So what costs something can be seen, and is scheduled by itself.",
        Within::Steps,
        "where length(search(docs, .text)) > 0",
        "stage hits = search(docs, .text)\nwhere length(hits) > 0",
    ),
    page(
        "S0309",
        "field is missing",
        "A field without a default was left out of a record, and a row has all fields of its type. Give it, or give the field of the type \
         a default or a `?`.",
        Within::Flow,
        "from queries\nemit Answer { id: .id } into answers",
        "from queries\nemit Answer { id: .id, text: .text } into answers",
    ),
    page(
        "S0310",
        "declaration uses itself",
        "Functions, params and types may not contain themselves, directly or by others; there is no \
         recursion, so every expression ends. What repeats is a `loop up to N` in a flow.",
        Within::Declarations,
        "fn down(n: int) -> int = if n > 0 then down(n - 1) else 0",
        "fn down(n: int) -> int = max(n, 0)",
    ),
    page(
        "S0311",
        "expression too large",
        "An expression with its functions inlined may have 10000 parts and be 56 levels deep. Give \
         parts of it a name by a `stage`, which is computed once for each record.",
        Within::Declarations,
        "fn a(n: int) -> int = n + n + n + n + n + n + n + n\nfn b(n: int) -> int = a(n) + a(n) + a(n) + a(n) + a(n) + a(n)\nfn c(n: int) -> int = b(n) + b(n) + b(n) + b(n) + b(n) + b(n)\nfn d(n: int) -> int = c(n) + c(n) + c(n) + c(n) + c(n) + c(n)\nfn e(n: int) -> int = d(n) + d(n) + d(n) + d(n) + d(n) + d(n)\nflow big {\n  from queries\n  emit Count { n: e(.priority) } into counts\n}",
        "fn a(n: int) -> int = n + n + n + n + n + n + n + n\nflow big {\n  from queries\n  stage some = a(.priority)\n  stage more = a(some)\n  emit Count { n: a(more) } into counts\n}",
    ),
    page(
        "S0312",
        "value has no fields",
        "Only records, and lists of records, have fields; only lists have elements. A stage that \
         answers with an enum or a text is that value itself.",
        Within::Flow,
        "from queries\nstage kind = generate(level_of(.text)) on llm\nemit Answer { id: .id, text: kind.text } into answers",
        "from queries\nstage kind = generate(level_of(.text)) on llm\nemit Answer { id: .id, text: to_string(kind) } into answers",
    ),
    page(
        "S0313",
        "structured output is not supported yet",
        "No longer reported: a prompt may answer with any type that S0316 lists. The code stays in \
         the list because it stands in the logs of older versions.",
        Within::Command,
        "sage-flow check old.sage",
        "sage-flow check old.sage",
    ),
    page(
        "S0314",
        "division by zero",
        "The right side of `/` or `%` is the constant 0, so the stage would fail for every record. \
         Where a divisor comes from the data, guard it: `if .n == 0 then 0 else .sum / .n`.",
        Within::Steps,
        "stage share = .priority / 0",
        "stage share = .priority / 2",
    ),
    page(
        "S0315",
        "unknown attribute",
        "The only attribute of a field is `@key`, which marks the field that tells records apart. \
         What a field is when it is absent is said by its default.",
        Within::Declarations,
        "type Note { id: string @key, text: string @optional }",
        "type Note { id: string @key, text: string? }",
    ),
    page(
        "S0316",
        "a model cannot answer with this type",
        "The type behind the `->` of a prompt is string, int, float, bool, an enum, a record, or a \
         list or an optional of these. Anything but a plain string is structured output: its JSON \
         schema is sent along, and the answer is checked. Other types have no JSON of their own.",
        Within::Declarations,
        r#"prompt pause(text: string) -> duration """How long? {{ text }}""""#,
        r#"prompt pause_s(text: string) -> float """How many seconds? {{ text }}""""#,
    ),
    page(
        "S0317",
        "not a time",
        "The constant text of a `time(...)` is read when the program is checked, by RFC 3339 or a \
         form near to it: a date alone, a blank in place of the `T`, no seconds, an offset such as \
         `+01:00`. Without an offset it is UTC. The day has to be one of the calendar.",
        Within::Declarations,
        "param since: time = time(\"2026-02-30\")",
        "param since: time = time(\"2026-02-28\")",
    ),
    page(
        "S0318",
        "the remainder is dropped",
        "Between two ints `/` gives an int: `1 / 3` is 0. It is a warning where such a quotient is \
         then used as a float, since a share was probably meant; `to_float` on one side makes it \
         one. Where whole numbers are meant, give the quotient a stage of type int.",
        Within::Steps,
        "stage share: float = .priority / 3",
        "stage share: float = to_float(.priority) / 3",
    ),
];
