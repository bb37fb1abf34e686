//! The language in an editor, over real messages: tests of programs, groups, windows, joins, and the
//! options of sources and sinks.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/editor.rs"]
mod editor;
mod support;

use editor::Editor;
use serde_json::{Value, json};

const PROGRAM: &str = "sage 1
enum Kind { bug, wish }
type Ticket { id: string @key, text: string, customer: string, at: int }
type Customer { id: string @key, name: string }
type Facts { subject: string, keywords: [string] }
type Sorted { id: string @key, kind: Kind, subject: string }
type PerKind { kind: Kind, n: int }
endpoint llm { url: \"sim:a100/qwen2.5-7b\" }
source tickets: Ticket from csv(\"tickets.csv\")
source customers: Customer from csv(\"customers.csv\")
sink sorted: Sorted to jsonl(\"sorted.jsonl\")
sink kinds: PerKind to csv(\"kinds.csv\")
prompt kind_of(text: string) -> Kind \"\"\"{{ text }}\"\"\"
prompt facts_of(text: string) -> Facts \"\"\"{{ text }}\"\"\"
flow sort_tickets {
  from tickets
  stage kind = generate(kind_of(.text)) on llm { max_tokens: 8 }
  stage facts = generate(facts_of(.text)) on llm { max_tokens: 64 }
  emit Sorted { id: .id, kind: kind, subject: facts.subject } into sorted
  group by kind { n: count() }
  emit PerKind { kind: .kind, n: .n } into kinds
}
test \"bugs are counted\" {
  given [Ticket { id: \"a\", text: \"x\", customer: \"c\", at: 1 }]
  mock kind = bug
  mock facts.subject = .text
  fault llm { status_429: 30%, seed: 7 }
  expect sorted.count == 1 and sorted[0].subject == \"x\"
  expect kinds[0].kind == bug and llm.calls == 1
  expect p99(latency) < 10s and dead_letters.count == 0
}
";

/// Asks at the end of `line`, put in place of the text `at` of the program.
#[track_caller]
fn offers(editor: &mut Editor, at: &str, line: &str, wanted: &[&str], unwanted: &[&str]) {
    assert_eq!(PROGRAM.matches(at).count(), 1, "{at}");
    editor.change(&PROGRAM.replace(at, &format!("{line}\n{at}")));
    let params = editor.params(&format!("{line}\n{at}"), line.len());
    let items = editor.ask("textDocument/completion", params);
    let items = items.as_array().unwrap();
    let labels: Vec<&str> = items.iter().map(|item| item["label"].as_str().unwrap()).collect();
    for name in wanted {
        assert!(labels.contains(name), "{line}: no {name} in {labels:?}");
    }
    for name in unwanted {
        assert!(!labels.contains(name), "{line}: {name} in {labels:?}");
    }
    for (at, label) in labels.iter().enumerate() {
        let again = labels[at + 1..].iter().filter(|other| *other == label).count();
        // An argument may be called like something that can be its value.
        assert!(again <= 1, "{line}: {label} in {labels:?}");
    }
}

#[test]
fn completion_knows_steps_over_all_records() {
    let mut editor = Editor::of(PROGRAM);
    let errors = |it: &Value| it["severity"] == 1;
    assert!(!editor.findings().iter().any(errors), "a source is left for a join, and no more");
    let step = "  emit Sorted { id";
    let mut with = |line: &str, wanted: &[&str], unwanted: &[&str]| {
        offers(&mut editor, step, line, wanted, unwanted);
    };
    with("  gr", &["group", "join", "flat_map", "dedup", "stage"], &["test", "given"]);
    with("  join ", &["tickets", "customers"], &["sorted", "llm", "kind"]);
    with("  join left ", &["customers"], &["sorted"]);
    with("  join customers on .", &["customer", "text"], &["name"]);
    with("  group ", &["by", "window"], &["kind"]);
    with("  dedup ", &["by"], &["kind"]);
    with("  group by .", &["text", "at"], &["name"]);
    with("  group by kind window ", &["tumbling", "sliding"], &["count", "generate"]);
    with("  group by kind window tumbling(1min, ", &["by"], &["every"]);
    with("  group by kind window sliding(10min, ", &["by", "every"], &[]);
    with("  group by kind { n: ", &["count", "avg", "quantile", "top_k"], &["sorted"]);
    with("  group by kind {\n    n: count()\n    best: ", &["top_k", "collect"], &[]);
    with("  group by kind { n: top_k(.text, ", &["k", "by"], &["q"]);
    with("  group by kind { n: quantile(.at, ", &["q"], &["k"]);
    with("  loop ", &["up to"], &["kind"]);
    with("  loop up to 3 ", &["until"], &["kind"]);
    editor.end();
}

#[test]
fn completion_knows_the_options_of_what_lies_outside() {
    let mut editor = Editor::of(PROGRAM);
    let first = "flow sort_tickets";
    let mut with = |line: &str, wanted: &[&str], unwanted: &[&str]| {
        offers(&mut editor, first, line, wanted, unwanted);
    };
    with("source s: Ticket from csv(\"a\") { ", &["bad_rows", "changes"], &["mode"]);
    with("source s: Ticket from csv(\"a\") { bad_rows: ", &["dead_letter", "fail"], &["llm"]);
    with("source s: Ticket from generate(", &["count"], &["bad_rows"]);
    with("source s: Ticket from stdin(", &["format"], &["path"]);
    with("sink s: Ticket to jsonl(\"a\") { ", &["mode"], &["bad_rows"]);
    with("sink s: Ticket to jsonl(\"a\") { mode: ", &["final", "changes"], &["kind"]);
    with("sink s: Ticket to jsonl(", &["path"], &["mode"]);
    with("schedule { policy: priority(", &["aging"], &["slots"]);
    with("slo { ", &["throughput", "latency_p99_ms", "success"], &["sorted", "llm"]);
    with("experiment e {\n  ", &["tasks", "nodes", "sweep", "claim", "repeat"], &["stage"]);
    with("experiment e {\n  policy: ", &["fifo", "load_aware"], &["count"]);
    with("te", &["test", "flow"], &["given"]);
    // An editor closes what is opened.
    editor.change(&format!("{PROGRAM}experiment e {{\n  jobs: []\n}}\n"));
    assert_eq!(editor.labels("  jobs: ["), ["sort_tickets"]);
    editor.end();
}

#[test]
fn completion_knows_tests() {
    let mut editor = Editor::of(PROGRAM);
    let part = "  mock kind = bug";
    let mut with = |line: &str, wanted: &[&str], unwanted: &[&str]| {
        offers(&mut editor, part, line, wanted, unwanted);
    };
    with("  ", &["given", "mock", "fault", "expect"], &["stage", "flow"]);
    with("  gi", &["given"], &["stage"]);
    with("  given 3 of ", &["tickets", "customers"], &["sorted", "kind"]);
    with("  given ", &["Ticket", "Customer"], &["tickets"]);
    with("  given Ticket { ", &["id", "customer"], &["name"]);
    with("  mock ", &["kind", "facts"], &["sorted", "generate"]);
    with("  mock facts.", &["subject", "keywords"], &["id", "kind"]);
    with("  mock facts = { ", &["subject", "keywords"], &["id"]);
    with("  mock kind = ", &["bug", "wish"], &["sorted"]);
    with("  fault ", &["llm"], &["sorted"]);
    with("  fault llm { ", &["status_429", "wrong_schema", "outage", "stall"], &["url", "timeout"]);
    with(
        "  expect ",
        &["sorted", "kinds", "llm", "dead_letters", "makespan"],
        &["tickets", "facts"],
    );
    with("  expect sorted.count == 1 and ", &["sorted", "length"], &["tickets"]);
    with("  expect sorted[0].", &["id", "subject"], &["sorted"]);
    with("  expect llm.", &["calls", "retries"], &["url"]);
    with("  expect dead_letters[0].", &["class", "message", "record"], &["calls"]);
    with("  expect p99(", &["latency_p99_ms"], &["facts"]);
    editor.end();
}

#[test]
fn completion_and_hover_know_measure_blocks_windows_and_types() {
    let mut editor = Editor::of(PROGRAM);
    let first = "flow sort_tickets";
    let mut with = |line: &str, wanted: &[&str], unwanted: &[&str]| {
        offers(&mut editor, first, line, wanted, unwanted);
    };
    with("mea", &["measure"], &["mock"]);
    with("measure ", &["to"], &["every"]);
    with("measure to ", &["csv", "jsonl", "stdout"], &["to", "sorted"]);
    with("measure to csv(\"x\") ", &["every"], &["csv"]);
    with("measure to csv(\"x\") every 1s { ", &["throughput", "latency"], &["p99", "node"]);
    with("measure to stdout {\n  latency.", &["mean", "p99", "max"], &["throughput"]);
    with("measure to stdout { throughput.", &[], &["p99"]);
    with("measure to stdout { latency.p99 ", &["by"], &["node"]);
    with("measure to stdout { latency.p99 by ", &["node"], &["stage", "latency"]);
    with("measure to stdout { calls by node, ", &["stage", "latency"], &["count"]);
    with("type T { x: ", &["duration", "Kind"], &["llm"]);
    let chunk = "flow g {\n  from tickets\n  stage parts = chunk(.text, ";
    with(chunk, &["by", "size", "overlap"], &["linger"]);
    with(&format!("{chunk}by: "), &["sentences", "tokens"], &["size"]);
    with("index d: T from text(\"notes\", chunk: ", &["sentences", "tokens"], &["size"]);

    let more = "measure to csv(\"x\") every 1s { throughput, latency.p99 by node }\n\
        flow g {\n  from tickets\n  group by .customer window sliding(10min, every: 1min, by: .at) { n: count() }\n}\n";
    editor.change(&format!("{PROGRAM}{more}"));
    for (part, into, said) in [
        ("measure to csv", 3, "figures that are written while a run goes on"),
        ("to csv(\"x\")", 1, "figures that are written"),
        ("every 1s", 2, "figures that are written"),
        ("throughput, lat", 3, "records that succeeded, a second"),
        ("latency.p99 by", 2, "from the arrival of a record to its completion"),
        ("latency.p99 by", 9, "latency.p99"),
        ("by node }", 4, "a row for each worker process"),
        ("sliding(10min", 2, "tumbling(1min, by: .at)"),
        ("every: 1min", 2, "the next window begins"),
        ("by: .at", 1, "time of a record that the windows go by"),
        ("at: int", 5, "a whole number of 64 bits"),
        ("subject: string, keywords: [string]", 11, "a text in UTF-8"),
        ("keywords: [string]", 13, "a text in UTF-8"),
        ("n: int }", 4, "a whole number"),
    ] {
        let text = editor.hover(part, into);
        assert!(text.contains(said), "{part}: `{said}` is not in\n{text}");
    }
    editor.end();
}

#[test]
fn a_text_has_an_outline_and_folds() {
    let mut editor = Editor::of(PROGRAM);
    let document = json!({ "textDocument": { "uri": editor.uri } });
    let symbols = editor.ask("textDocument/documentSymbol", document.clone());
    let symbols = symbols.as_array().unwrap().clone();
    let names: Vec<&str> = symbols.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let wanted = [
        "Kind",
        "Ticket",
        "Customer",
        "Facts",
        "Sorted",
        "PerKind",
        "llm",
        "tickets",
        "customers",
        "sorted",
        "kinds",
        "kind_of",
        "facts_of",
        "sort_tickets",
        "bugs are counted",
    ];
    assert_eq!(names, wanted);
    let flow = &symbols[13];
    let steps: Vec<&str> = flow["children"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(steps[..3], ["from tickets", "kind", "facts"], "{steps:?}");
    assert_eq!(steps.len(), 6, "{steps:?}");
    assert_eq!(flow["selectionRange"]["start"], editor.place("sort_tickets {", 0));
    assert_eq!(flow["range"]["start"], editor.place("flow sort_tickets", 0));
    assert_eq!(flow["range"]["end"], editor.place("}\ntest", 1));
    let folds = editor.ask("textDocument/foldingRange", document);
    let flow = editor.place("flow sort_tickets", 0);
    let folded = folds.as_array().unwrap().iter().find(|it| it["startLine"] == flow["line"]);
    assert_eq!(folded.unwrap()["endLine"], editor.place("emit PerKind", 0)["line"], "{folds}");
    let found = editor.ask("workspace/symbol", json!({ "query": "sort" }));
    let names: Vec<&str> =
        found.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Sorted", "sorted", "sort_tickets"]);
    assert_eq!(found[2]["location"]["range"]["start"], editor.place("sort_tickets {", 0));
    // A text that nobody opened has none.
    let other = json!({ "textDocument": { "uri": "file:///nowhere.sage" } });
    assert_eq!(editor.ask("textDocument/documentSymbol", other), Value::Null);
    editor.end();
}

#[test]
fn hover_says_what_the_names_and_words_of_a_test_are() {
    let mut editor = Editor::of(PROGRAM);
    for (part, into, said) in [
        ("mock kind", 6, "stage kind: Kind"),
        ("facts.subject = ", 1, "stage facts: Facts"),
        ("facts.subject = ", 8, "field Facts.subject: string"),
        ("= .text\n  fault", 4, "field Ticket.text"),
        ("= bug\n", 3, "variant Kind.bug"),
        ("fault llm", 7, "endpoint llm"),
        ("status_429", 3, "share of the calls"),
        ("seed: 7", 1, "what chance is drawn from"),
        ("sorted.count", 2, "sink sorted: Sorted to jsonl"),
        ("sorted[0].subject", 12, "field Sorted.subject"),
        ("llm.calls", 1, "endpoint llm"),
        ("p99(latency)", 5, "latency"),
        ("given [", 2, "the records of a test"),
        ("mock kind", 1, "in the place of what a stage would make"),
        ("expect sorted", 2, "a condition over what a run"),
        ("group by", 2, "one row for each key"),
        ("count() }", 2, "count(condition)"),
        ("emit PerKind", 1, "writes a row to a sink"),
        ("from tickets", 1, "what happens to a record"),
    ] {
        let text = editor.hover(part, into);
        assert!(text.contains(said), "{part}: `{said}` is not in\n{text}");
    }
    assert_eq!(editor.hover("\"bugs are counted\"", 3), "", "a name in quotes");
    editor.end();
}

#[test]
fn names_in_a_test_lead_to_their_declarations_and_are_renamed_with_them() {
    let mut editor = Editor::of(PROGRAM);
    for (part, into, declared) in [
        ("mock kind", 6, "kind = generate"),
        ("mock facts.subject", 6, "facts = generate"),
        ("mock facts.subject", 13, "subject: string, keywords"),
        ("expect sorted", 8, "sorted: Sorted"),
        ("fault llm", 7, "llm { url"),
        ("given [Ticket", 9, "Ticket { id: string @key, text"),
    ] {
        let params = editor.params(part, into);
        let found = editor.ask("textDocument/definition", params);
        assert_eq!(found[0]["range"]["start"], editor.place(declared, 0), "{part}: {found}");
    }
    let mut renamed = |part: &str, into: usize, new: &str| {
        let mut params = editor.params(part, into);
        params["newName"] = new.into();
        let edit = editor.ask("textDocument/rename", params);
        let uri = editor.uri.clone();
        editor.edited(&edit["changes"][uri])
    };
    // From the test, and from the flow.
    let wanted =
        PROGRAM.replace("stage facts", "stage found").replace("facts.subject", "found.subject");
    assert_eq!(renamed("mock facts.subject", 6, "found"), wanted);
    assert_eq!(renamed("facts = generate", 1, "found"), wanted);
    let wanted = PROGRAM
        .replace("sink sorted", "sink rows")
        .replace("into sorted", "into rows")
        .replace("expect sorted.count", "expect rows.count")
        .replace("and sorted[0]", "and rows[0]");
    assert_eq!(renamed("sorted[0]", 2, "rows"), wanted);
    let mut params = editor.params("sorted: Sorted", 1);
    params["context"] = json!({ "includeDeclaration": false });
    let found = editor.ask("textDocument/references", params);
    assert_eq!(found.as_array().unwrap().len(), 3, "an emit and two in the test: {found}");
    editor.end();
}

#[test]
fn half_written_tests_are_answered() {
    let mut editor = Editor::of(PROGRAM);
    let begin = PROGRAM.find("test \"bugs").unwrap();
    for end in (begin..PROGRAM.len()).step_by(7) {
        editor.change(&PROGRAM[..end]);
        let document = json!({ "uri": editor.uri });
        let lines = PROGRAM[..end].matches('\n').count();
        let column = PROGRAM[..end].len() - PROGRAM[..end].rfind('\n').map_or(0, |it| it + 1);
        let position = json!({ "line": lines, "character": column });
        let params = json!({ "textDocument": document, "position": position });
        editor.ask("textDocument/completion", params.clone());
        editor.ask("textDocument/hover", params.clone());
        editor.ask("textDocument/definition", params);
    }
    editor.end();
}
