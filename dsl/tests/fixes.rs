//! What the fixes of diagnostics make of a program, when all of them are made in rounds.

mod common;

use common::{compile_with, plain};
use sage_dsl::Compiled;

/// The program with all fixes made that do not touch each other.
fn fixed(text: &str, compiled: &Compiled) -> String {
    let mut edits = Vec::new();
    for fix in compiled.diagnostics.iter().filter_map(|found| found.fix.as_ref()) {
        let apart = |(at, _): &(sage_dsl::Span, String)| {
            fix.edits().iter().all(|edit| edit.span.end <= at.start || at.end <= edit.span.start)
        };
        if edits.iter().all(apart) {
            edits.extend(fix.edits().into_iter().map(|edit| (edit.span, edit.replacement)));
        }
    }
    edits.sort_by_key(|(span, _)| *span);
    let mut out = text.to_owned();
    for (span, replacement) in edits.iter().rev() {
        out.replace_range(span.start as usize..span.end as usize, replacement);
    }
    out
}

#[track_caller]
fn mended(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..8 {
        let compiled = compile_with("x.sage", &text, &[], &[]);
        let next = fixed(&text, &compiled);
        if next == text {
            assert!(!compiled.failed(), "{text}\n{}", plain(&compiled));
            return text;
        }
        text = next;
    }
    panic!("the fixes come to no end:\n{text}");
}

const LEVELS: &str = r#"sage 1
enum level { low, high }
type ticket { id: string @key, text: string, kind: level = low, urgent: level? }
type pair { one: ticket, all: [ticket] }
source tickets: ticket from csv("t.csv")
sink Out: ticket to csv("o.csv")
sink pairs: pair to jsonl("p.jsonl")
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
prompt About(Text: string) -> string """Say {{ Text }}."""
fn Short(Text: string) -> bool = length(Text) < 3
flow Sorted {
  from tickets
  stage Said = generate(About(.text)) on llm
  stage rank = match .kind { low => 1, high => 2 }
  emit ticket { id: .id, text: Said.text, kind: .kind, urgent: .urgent } into Out if rank > 1 and not Short(.text)
}
test "sorts" {
  given [ticket { id: "1", text: "a ticket" }, ticket { id: "2", text: "level", kind: low }]
  mock Said.text = "Low"
  expect Out.count == 1
}
test "one" {
  given ticket { id: "1", text: "s", kind: high }
  expect Out[0].kind == high
}
"#;

#[test]
fn a_name_in_the_wrong_case_is_mended_wherever_it_stands() {
    let good = mended(LEVELS);
    for part in [
        "enum Level { low, high }",
        "kind: Level = low, urgent: Level?",
        "type Pair { one: Ticket, all: [Ticket] }",
        "source tickets: Ticket from",
        "prompt about(text: string) -> string \"\"\"Say {{ text }}.\"\"\"",
        "emit Ticket { id: .id, text: said.text, kind: .kind",
        "into out if rank > 1 and not short(.text)",
        "given [Ticket { id: \"1\", text: \"a ticket\" }, Ticket { id: \"2\", text: \"level\", kind: low }]",
        "mock said.text = \"Low\"",
        "expect out.count == 1",
        "given Ticket {",
    ] {
        assert!(good.contains(part), "`{part}` is not in\n{good}");
    }
}

#[test]
fn a_variant_is_a_word_in_data_and_is_not_renamed_by_itself() {
    let head = "sage 1\nenum Hue { Red, green }\ntype Row { id: string @key }\n";
    let text = format!("{head}type Dot {{ id: string @key, hue: [Hue]? }}\n");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    let found = compiled.diagnostics.iter().find(|found| found.code == "S0112").unwrap();
    assert_eq!(found.fix, None);
    assert!(found.help.as_ref().unwrap().contains("match .field { \"Red\" => red"), "{found:?}");
    // What only a model answers is not in any file.
    let text = format!("{head}prompt hue(of: string) -> Hue \"\"\"{{{{ of }}}}\"\"\"\n");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    let found = compiled.diagnostics.iter().find(|found| found.code == "S0112").unwrap();
    assert!(found.fix.is_some(), "{found:?}");
}

#[test]
fn a_figure_is_never_mended_to_another_one() {
    let head = "sage 1\ntype Row { id: string @key }\nsource rows: Row from csv(\"r.csv\")\n\
                sink out: Row to csv(\"o.csv\")\nflow f {\n  from rows\n  emit into out\n}\n";
    for (wrong, right) in [
        ("p99_latency < 5s", Some("p99(latency) < 5s")),
        ("avg_latency < 5s", Some("mean(latency) < 5s")),
        ("median_latency < 5s", Some("p50(latency) < 5s")),
        ("p77_latency < 5s", None),
        ("min_latency < 5s", None),
    ] {
        let text = format!("{head}slo {{\n  {wrong}\n}}\n");
        let compiled = compile_with("x.sage", &text, &[], &[]);
        let next = fixed(&text, &compiled);
        match right {
            Some(right) => assert!(next.contains(right), "{next}"),
            None => assert_eq!(next, text),
        }
    }
}

#[test]
fn a_name_that_is_taken_is_no_fix() {
    let text = "sage 1\ntype Row { id: string @key }\ntype row { id: string @key, n: int }\n";
    let compiled = compile_with("x.sage", text, &[], &[]);
    let found =
        compiled.diagnostics.iter().find(|found| found.code == "S0112").expect("it is said");
    assert_eq!(found.fix, None);
}

#[test]
fn words_take_the_place_of_operators_with_one_blank_on_each_side() {
    let head = "sage 1\ntype Row { id: string @key, n: int }\nsource rows: Row from csv(\"r.csv\")\n\
                sink out: Row to csv(\"o.csv\")\nflow f {\n  from rows\n";
    let tail = "\n  emit Row { id: .id, n: .n } into out\n}\n";
    for (wrong, right) in [
        ("where .n > 1 && .n < 3", "where .n > 1 and .n < 3"),
        ("where .n > 1&&.n < 3", "where .n > 1 and .n < 3"),
        ("where .n > 1   ||   !(.n < 3)", "where .n > 1 or not (.n < 3)"),
        ("where .n > 1 &&\n    .n < 3", "where .n > 1 and\n    .n < 3"),
        ("where .n > 1\n    && ! (.n < 3)", "where .n > 1\n    and not (.n < 3)"),
        ("where .n = 1", "where .n == 1"),
    ] {
        assert_eq!(mended(&format!("{head}  {wrong}{tail}")), format!("{head}  {right}{tail}"));
    }
}
