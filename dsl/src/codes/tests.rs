//! Pages of what can be wrong with tests.

use super::{Code, Within, page};

/// S07.
pub(super) const TESTS: &[Code] = &[
    page(
        "S0701",
        "test lacks a part",
        "A test gives records (`given Query { ... }` or `given 10 of queries`) and says what is \
         expected of their results (`expect answers.count == 10`). Without one of the two it could \
         not fail.",
        Within::Test,
        "given 10 of queries",
        "given 10 of queries\nexpect answers.count == 10",
    ),
    page(
        "S0702",
        "which flow is tested",
        "A test is about one flow of its file: the one whose source has the given records, whose \
         stages are mocked, and whose sinks are looked at. If several fit, look at a sink or mock a \
         stage that only one of them has.",
        Within::File,
        "sage 1\ntype Row { id: string @key }\nsource rows: Row from csv(\"rows.csv\")\nsink short: Row to csv(\"short.csv\")\nsink long: Row to csv(\"long.csv\")\nflow few {\n  from rows\n  emit Row { id: .id } into short\n}\nflow many {\n  from rows\n  emit Row { id: .id } into long\n}\ntest \"t\" { given 3 of rows  expect tasks_in == 3 }",
        "sage 1\ntype Row { id: string @key }\nsource rows: Row from csv(\"rows.csv\")\nsink short: Row to csv(\"short.csv\")\nsink long: Row to csv(\"long.csv\")\nflow few {\n  from rows\n  emit Row { id: .id } into short\n}\nflow many {\n  from rows\n  emit Row { id: .id } into long\n}\ntest \"t\" { given 3 of rows  expect long.count == 3 }",
    ),
    page(
        "S0703",
        "records that are given",
        "`given` takes a record of the source's type, a list of such, or a number of records of the \
         source itself, `given 200 of queries`; one test does not mix the two.",
        Within::Test,
        "given 3 of queries\ngiven Query { id: \"q1\", text: \"Who?\" }\nexpect answers.count == 4",
        "given [Query { id: \"q1\", text: \"Who?\" }, Query { id: \"q2\", text: \"Why?\" }]\nexpect answers.count == 2",
    ),
    page(
        "S0704",
        "mock does not fit",
        "`mock stage = value` puts a value in place of what a stage of the flow would make, and \
         `mock stage.field = value` gives one field of it; `mock stage = error(\"...\")` lets the \
         calls of a stage fail. The value has the type of the stage.",
        Within::Test,
        "given 1 of queries\nmock anser.text = \"me\"\nexpect answers.count == 1",
        "given 1 of queries\nmock answer.text = \"me\"\nexpect answers.count == 1",
    ),
    page(
        "S0705",
        "fault does not fit",
        "`fault endpoint { status_429: 30%, latency: 500ms, seed: 7 }` disturbs the calls of an \
         endpoint. Shares of calls are written `5%`, times `500ms`, and an outage \
         `outage: { at: 5s, for: 10s }`; `sage-flow doc fault` lists all of them.",
        Within::Test,
        "given 9 of queries\nfault llm { stall: 5 }\nexpect answers.count == 9",
        "given 9 of queries\nfault llm { stall: 5% }\nexpect answers.count + dead_letters.count == 9",
    ),
    page(
        "S0706",
        "expectation does not hold",
        "The flow has done something else than the test expects. The message shows what the \
         compared values were, a difference line by line where they are long, and the dead letters \
         of the run; a sink by its name alone is the list of its rows.",
        Within::Test,
        "given Query { id: \"q1\", text: \"Who?\" }\nmock answer.text = \"me\"\nexpect answers[0].text == \"you\"",
        "given Query { id: \"q1\", text: \"Who?\" }\nmock answer.text = \"me\"\nexpect answers[0].text == \"me\"",
    ),
];
