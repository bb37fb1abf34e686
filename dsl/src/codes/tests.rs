//! Pages of what can be wrong with tests.

use super::{Code, page};

pub(super) const TESTS: &[Code] = &[
    page(
        "S0701",
        "test lacks a part",
        "A test gives records (`given Query { ... }` or `given 10 of queries`) and says what is \
        expected of their results (`expect answers.count == 10`). Without one of the two it could \
        not fail.",
    ),
    page(
        "S0702",
        "which flow is tested",
        "A test is about one flow of its file: the one whose source has the given records, whose \
        stages are mocked, and whose sinks are looked at.",
    ),
    page(
        "S0703",
        "records that are given",
        "`given` takes a record of the source's type, a list of such, or a number of records of \
        the source itself, `given 200 of queries`; one test does not mix the two.",
    ),
    page(
        "S0704",
        "mock does not fit",
        "`mock stage = value` puts a value in place of what a stage of the flow would make, and \
        `mock stage.field = value` gives one field of it; `mock stage = error(\"...\")` lets the \
        calls of a stage fail.",
    ),
    page(
        "S0705",
        "fault does not fit",
        "`fault endpoint { status_429: 30%, latency: 500ms, seed: 7 }` disturbs the calls of an \
        endpoint. Shares of calls are written `5%`, times `500ms`.",
    ),
    page(
        "S0706",
        "expectation does not hold",
        "The flow has done something else than the test expects. The message shows what the \
        compared values were; a sink by its name alone is the list of its rows.",
    ),
];
