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

/// A program around steps.
fn program(step: &str) -> String {
    let head = "sage 1\ntype Row { id: string @key, n: int, text: string, ok: bool, list: [string] }\n\
                source rows: Row from csv(\"r.csv\")\nsink out: Row to csv(\"o.csv\")\n\
                endpoint llm { url: \"sim:a100/qwen2.5-7b\" }\nflow f {\n  from rows\n  \
                stage said = generate(.text) on llm\n";
    let tail =
        "\n  emit Row { id: .id, n: .n, text: said.text, ok: .ok, list: .list } into out\n}\n";
    format!("{head}  {step}{tail}")
}

#[track_caller]
fn step(wrong: &str, right: &str) {
    assert_eq!(mended(&program(wrong)), program(right));
}

#[test]
fn steps_of_other_languages_are_mended() {
    for (wrong, right) in [
        ("let mut x: int = 3", "stage x: int = 3"),
        ("x = 3", "stage x = 3"),
        ("filter .n > 1", "where .n > 1"),
        ("dedup .id", "dedup by .id"),
        ("unique by .id", "dedup by .id"),
        ("stage x = generate(.text) using llm", "stage x = generate(.text) on llm"),
        (
            "stage x = generate(.text) @ llm with { timeout: 30 seconds }",
            "stage x = generate(.text) on llm { timeout: 30s }",
        ),
        (
            "stage x = generate(.text) on llm { timeout: \"30S\" }",
            "stage x = generate(.text) on llm { timeout: 30s }",
        ),
        ("/* one */", "// one"),
        ("/* one\n   * two */", "// one\n// two"),
        ("-- one", "// one"),
    ] {
        step(wrong, right);
    }
}

#[test]
fn values_of_other_languages_are_mended() {
    for (wrong, right) in [
        (".n <> 1", ".n != 1"),
        (".n === 1 AND NOT .ok", ".n == 1 and not .ok"),
        (".n between 1 and 3 or .ok", ".n >= 1 and .n <= 3 or .ok"),
        (".text like \"a%\"", "starts_with(.text, \"a\")"),
        (".text like \"%a%\"", ".text contains \"a\""),
        ("\"a\" not in .list", "not \"a\" in .list"),
        (".text in (\"a\", \"b\")", ".text in [\"a\", \"b\"]"),
        (".n ** 2 > 3", ".n * .n > 3"),
        (".text is \"a\"", ".text == \"a\""),
        ("len(.text) > 3", "length(.text) > 3"),
        (".text.length > 3", "length(.text) > 3"),
        (".text.lower().trim() == \"a\"", "trim(lower(.text)) == \"a\""),
        (".text[0:3] == \"a\"", "slice(.text, 0, 3) == \"a\""),
        ("\", \".join(.list) == \"\"", "join(.list, \", \") == \"\""),
        ("\"n\" + .n == \"n1\"", "\"n\" + to_string(.n) == \"n1\""),
        (".text == 'it''s'", ".text == \"it's\""),
        (".text in ['', 'a']", ".text in [\"\", \"a\"]"),
        (".n > \"3\"", ".n > 3"),
        ("\"3\" < .n", "3 < .n"),
        ("to_float(.n) > \"2\"", "to_float(.n) > 2.0"),
        ("to_float(.n) > \"2.5\"", "to_float(.n) > 2.5"),
        (".n * 1s > \"3s\"", ".n * 1s > 3s"),
        (".n > 3,", ".n > 3"),
        ("not .n between 1 and 5", "not (.n >= 1 and .n <= 5)"),
        (".n not between 1 and 5", "not (.n >= 1 and .n <= 5)"),
        (".ok or not .n between 1 and 5", ".ok or not (.n >= 1 and .n <= 5)"),
        ("!.n between 1 and 5", "not (.n >= 1 and .n <= 5)"),
        (".text not like \"%a%\"", "not .text contains \"a\""),
        ("100 / .n ** 2 > 3", "100 / (.n * .n) > 3"),
        ("5 + .n ^ 3 > 3", "5 + .n * .n * .n > 3"),
        (".text.substr(2, 3) == \"a\"", "slice(.text, 2, 5) == \"a\""),
        (".text.substring(2, 3) == \"a\"", "slice(.text, 2, 3) == \"a\""),
        ("Math.max(.n, 3) > 3", "max(.n, 3) > 3"),
        ("r\"\\d\" == .text", "\"\\\\d\" == .text"),
        ("if .ok { true } else { false }", "if .ok then true else false"),
        (
            "if .ok then true elif .n > 1 then true else false",
            "if .ok then true else if .n > 1 then true else false",
        ),
        (
            "match .n { 1 -> true, 2 | 3: true, else => false }",
            "match .n { 1 => true, 2 => true, 3 => true, _ => false }",
        ),
        ("f\"a {.text} {n}\" == \"\"", "\"a \" + .text + \" \" + to_string(.n) == \"\""),
        ("`a ${text}` == \"\"", "\"a \" + .text == \"\""),
        // A mark that is replaced is written so.
        ("replace(.text, \"{id}\", .id) == \"\"", "replace(.text, \"{id}\", .id) == \"\""),
    ] {
        step(&format!("where {wrong}"), &format!("where {right}"));
    }
    step("stage x = if (.ok) \"a\" else \"b\"", "stage x = if (.ok) then \"a\" else \"b\"");
    step("stage x = if .ok: \"a\" else: \"b\"", "stage x = if .ok then \"a\" else \"b\"");
    step("stage x := .n + 1", "stage x = .n + 1");
    step("stage x = \"a\" if .ok else \"b\"", "stage x = if .ok then \"a\" else \"b\"");
}

#[test]
fn declarations_of_other_languages_are_mended() {
    let rest = "source rows: Row from csv(\"r.csv\")\nsink out: Row to csv(\"o.csv\")\n\
                flow f {\n  from rows\n  where .n > 1\n  emit Row { id: .id, n: .n } into out\n}\n";
    for (wrong, right) in [
        ("type Row { string id @key, int n }", "type Row { id: string @key, n: int }"),
        ("type Row {\n  @key id: String\n  n Int\n}", "type Row {\n  id: string @key\n  n: int\n}"),
        (
            "type Row { id: string @key NOT NULL, n: int NOT NULL, note: string NULL }",
            "type Row { id: string @key, n: int, note: string? }",
        ),
        (
            "type Row {\n  id: string not null @key\n  n: int not null\n  null: int = 3\n}",
            "type Row {\n  id: string @key\n  n: int\n  null: int = 3\n}",
        ),
        ("type Row { \"id\": string @key, \"n\": int }", "type Row { id: string @key, n: int }"),
        ("record Row = { id: str key, n: long }", "type Row { id: string @key, n: int }"),
        ("class Row { id: int @key = 1, n: integer }", "type Row { id: int = 1 @key, n: int }"),
        (
            "type Row { id: string @primary, n: int, a: List<str> = [], b: string[] = [], c: Optional<int>, d: int | null }",
            "type Row { id: string @key, n: int, a: [string] = [], b: [string] = [], c: int?, d: int? }",
        ),
    ] {
        assert_eq!(mended(&format!("sage 1\n{wrong}\n{rest}")), format!("sage 1\n{right}\n{rest}"));
    }
    let row = "type Row { id: string @key, n: int }";
    let used = rest.replace(".n > 1", ".n > a");
    for (wrong, right) in [
        ("int a = 3", "param a: int = 3"),
        ("param int a = 3", "param a: int = 3"),
        ("param a int = 3", "param a: int = 3"),
        ("const a = 3", "param a: int = 3"),
    ] {
        let (from, to) =
            (format!("sage 1\n{row}\n{wrong}\n{used}"), format!("sage 1\n{row}\n{right}\n{used}"));
        assert_eq!(mended(&from), to);
    }
    let used = rest.replace(".n > 1", "double(.n) > 1");
    let right = "fn double(x: int) -> int = x * 2";
    for wrong in [
        "func double(x: int) -> int = x * 2",
        "fn double(int x) -> int = x * 2",
        "fn double(x: int): int = x * 2",
        "fn double(x: int) -> int { return x * 2 }",
    ] {
        let from = format!("sage 1\n{row}\n{wrong}\n{used}");
        assert_eq!(mended(&from), format!("sage 1\n{row}\n{right}\n{used}"));
    }
    let linked = "sage 1\ntype Row { id: string @key, n: int }\nsource rows: [Row] = \"r.csv\"\nsink out: Row from \"o.csv\"\n";
    let flow = &rest[rest.find("flow").unwrap_or_default()..];
    let right = format!("sage 1\ntype Row {{ id: string @key, n: int }}\n{rest}");
    assert_eq!(
        mended(&format!(
            "{linked}{}",
            flow.replace("flow f {", "flow f() {").replace("into out", "to out")
        )),
        right
    );
}

#[test]
fn a_capital_name_of_one_word_stays_one_word() {
    let text = "sage 1\ntype Row { id: string @key }\nsource Rows: Row from csv(\"r.csv\")\nsink OUT: Row to csv(\"o.csv\")\n\
                endpoint LLM { url: \"sim:a100/qwen2.5-7b\" }\nflow HTTPCall {\n  from Rows\n  stage a = generate(.id) on LLM\n  \
                emit Row { id: a.text } into OUT\n}\n";
    let good = mended(text);
    for part in
        ["source rows:", "sink out:", "endpoint llm {", "flow http_call {", "on llm\n", "into out"]
    {
        assert!(good.contains(part), "`{part}` is not in\n{good}");
    }
}

/// Nothing certain is meant by these: they are reported, and left for their writer to mend.
#[test]
fn what_may_mean_several_things_is_not_mended() {
    for condition in [
        "(.text || \"a\") == \"ba\"",
        "2 ** 3 ** 2 > 3",
        "-2 ** 2 > 3",
        ".text.substr(1, .n) == \"a\"",
        "substr(.text, 1, 3) == \"a\"",
        "f\"{.n:.2f}\" == .text",
        "f\"{.text} {.n + 1}\" == .text",
        "f\"{upper(.text)}\" == .text",
        "f\"{{{.n}}}\" == .text",
        "\"{.n:.2f}\" == .text",
        "\"{.text} {.n + 1}\" == .text",
        "\"{upper(.text)}\" == .text",
        "'''a''' == .text",
        ".n > 3 order by .n limit 10",
        ".n > 3 limit 10",
        "length([upper(w) for w in .list]) > 3",
        ".text > \"3\" + .n > 3",
        ".n > \"many\"",
    ] {
        let text = program(&format!("where {condition}"));
        let compiled = compile_with("x.sage", &text, &[], &[]);
        assert!(!compiled.diagnostics.is_empty(), "{condition}");
        assert_eq!(fixed(&text, &compiled), text, "{condition}\n{}", plain(&compiled));
    }
}

#[test]
fn rates_and_cases_are_mended_to_what_was_meant() {
    let rest = "type Row { id: string @key, n: int }\nsource rows: Row from csv(\"r.csv\")\n\
                sink out: Row to csv(\"o.csv\")\nflow f {\n  from rows\n  emit into out\n}\n";
    let endpoint = |limits: &str| {
        format!("sage 1\nendpoint llm {{ url: \"sim:a100/qwen2.5-7b\", rpm: {limits} }}\n{rest}")
    };
    for wrong in ["100 req/min", "100 requests/minute", "100 calls/min"] {
        assert_eq!(fixed_once(&endpoint(wrong)), endpoint("100/min"));
    }
    let switch = "stage x = switch(.n) { case 1: \"x\", default: \"y\" }";
    let text = program(switch);
    let compiled = compile_with("x.sage", &text, &[], &[]);
    assert_eq!(fixed(&text, &compiled), text);
    let said = |found: &sage_dsl::Diagnostic| found.help.as_ref().unwrap().contains("match .n");
    assert!(compiled.diagnostics.iter().any(said), "{}", plain(&compiled));
}

fn fixed_once(text: &str) -> String {
    fixed(text, &compile_with("x.sage", text, &[], &[]))
}

#[test]
fn words_of_sql_are_not_read_as_operators() {
    for (step, word) in [
        ("where .n > 3 order by .n limit 10", "there is no `order`"),
        ("where .n > 3 limit 10", "there is no `limit`"),
        ("where .n > 3 inside", "`inside`"),
        ("where .n > 3 android", "`android`"),
        ("where .n > 3 notes", "`notes`"),
        ("where .n > 3 containing", "`containing`"),
        ("where .n > 3 island", "`island`"),
        ("where .n > 3 likely", "`likely`"),
        ("where .n > 3 betweens", "`betweens`"),
    ] {
        let text = program(step);
        let compiled = compile_with("x.sage", &text, &[], &[]);
        let shown = plain(&compiled);
        let found = &compiled.diagnostics[0];
        assert!(found.message.contains(word), "{step}\n{shown}");
        assert_eq!(compiled.diagnostics.len(), 1, "{step}\n{shown}");
    }
}

#[test]
fn a_duration_is_divided_by_its_unit() {
    let text = program("stage wait = .n * 1s\n  where wait.seconds > 3.0");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    let help = compiled.diagnostics[0].help.clone().unwrap();
    assert!(help.contains("`wait / 1s`"), "{}", plain(&compiled));
    let right = program("stage wait = .n * 1s\n  where wait / 1s > 3.0");
    assert!(!compile_with("x.sage", &right, &[], &[]).failed());
}

#[test]
fn a_division_of_python_is_told_to_be_a_comment() {
    let text = program("where (.n // 2) > 3");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    assert!(plain(&compiled).contains("`//` begins a comment"), "{}", plain(&compiled));
    assert_eq!(fixed(&text, &compiled), text);
}
