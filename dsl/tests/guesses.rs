//! First guesses of newcomers, each one change of a program that is right: there is one error, its
//! words lead to what is written here, and its fix, where it has one, makes the program right again.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{compile_with, plain};

const RIGHT: &str = r#"sage 1
enum Kind { a, b }
type Rev { id: string @key, text: string, stars: int?, at: time, n: int }
type Out { id: string @key, n: int, s: string }
endpoint llm { url: "sim:a100/qwen2.5-7b", model: "m" }
source revs: Rev from csv("reviews.csv")
sink out: Out to csv("out.csv")
prompt kind_of(t: string) -> Kind """Which? {{ t }}"""
flow f {
  from revs
  // here
  stage k = generate(kind_of(.text)) on llm
  stage z = to_string(k)
  emit Out { id: .id, n: .n, s: z } into out
}
"#;

/// What is changed, what stands in its place, the code, words of the message or the help, and the text
/// that the fix leaves, empty where there is none.
type Guess = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn replaced(from: &str, to: &str) -> String {
    if from == "+" {
        return format!("{RIGHT}{to}\n");
    }
    let from = if from.is_empty() { "// here" } else { from };
    assert_eq!(RIGHT.matches(from).count(), 1, "`{from}` is to be there once");
    RIGHT.replace(from, to)
}

fn check(guesses: &[Guess]) {
    for (from, to, code, words, left) in guesses {
        let text = replaced(from, to);
        let compiled = compile_with("x.sage", &text, &[], &[]);
        let shown = plain(&compiled);
        let errors: Vec<_> = compiled.diagnostics.iter().filter(|it| it.is_error()).collect();
        let [error] = errors.as_slice() else { panic!("`{to}` has not one error:\n{shown}") };
        let said = format!("{} {}", error.message, error.help.clone().unwrap_or_default());
        assert_eq!(error.code, *code, "{to}\n{shown}");
        assert!(said.contains(words), "`{words}` is not said of `{to}`:\n{shown}");
        let Some(fix) = &error.fix else {
            assert!(left.is_empty(), "`{to}` has no fix:\n{shown}");
            continue;
        };
        assert!(!left.is_empty(), "`{to}` has a fix:\n{shown}");
        let mut mended = text.clone();
        let mut edits = fix.edits();
        edits.sort_by_key(|edit| edit.span);
        for edit in edits.iter().rev() {
            let range = edit.span.start as usize..edit.span.end as usize;
            mended.replace_range(range, &edit.replacement);
        }
        assert!(mended.contains(left), "`{left}` is not left of `{to}`:\n{mended}");
        let again = compile_with("x.sage", &mended, &[], &[]);
        assert!(!again.failed(), "{mended}\n{}", plain(&again));
    }
}

#[test]
fn values() {
    check(&[
        (
            "",
            "stage v = if contains(.text, \"x\") then 1 else 2",
            "S0101",
            "stands between its two sides",
            "if .text contains \"x\" then 1",
        ),
        (
            "",
            "where contains(.text, \"x\")",
            "S0101",
            "stands between its two sides",
            "where .text contains \"x\"",
        ),
        (
            "",
            "stage v = words(.text).map(w => length(w))",
            "S0101",
            "flat_map item = words(.text)",
            "",
        ),
        (
            "",
            "stage v = if .n > 1 { 1 } else { 2 }",
            "S0101",
            "if .n > 1 then 1 else 2",
            "if .n > 1 then 1 else 2",
        ),
        (
            "",
            "stage v = 1 if .n > 1 else 2",
            "S0101",
            "if .n > 1 then 1 else 2",
            "stage v = if .n > 1 then 1 else 2",
        ),
        (
            "",
            "stage v = if(.n > 1, 1, 2)",
            "S0101",
            "is not called like a function",
            "stage v = if .n > 1 then 1 else 2",
        ),
        (
            "",
            "stage v = case when .n > 1 then 1 else 2 end",
            "S0101",
            "there is no `case when`",
            "stage v = if .n > 1 then 1 else 2",
        ),
        (
            "s: z }",
            "s: \"a\" if .n > 3 else z }",
            "S0101",
            "a choice begins with `if`",
            "s: if .n > 3 then \"a\" else z }",
        ),
        (
            "s: z }",
            "s: if(.n > 3, \"a\", z) }",
            "S0101",
            "is not called",
            "s: if .n > 3 then \"a\" else z }",
        ),
        ("", "stage v = .n as float", "S0101", "to_float(.n)", ""),
        ("", "stage v = length([x for x in words(.text)])", "S0101", "flat_map x = list", ""),
        ("", "stage v = 1e3", "S0123", "1_000", "stage v = 1_000"),
        ("", "stage v = 1.5e4", "S0123", "15_000", "stage v = 15_000"),
        ("", "stage v = 10k", "S0123", "10_000", "stage v = 10_000"),
        ("", "stage v = 2M", "S0123", "a number is written `2_000_000`, a size `2MiB`", ""),
        ("", "stage v = 1h30m", "S0123", "90min", "stage v = 90min"),
        ("", "stage v = 1h 30min", "S0101", "90min", "stage v = 90min"),
        ("", "stage v = 100rps", "S0123", "100/s", "stage v = 100/s"),
        ("", "stage v = 5 days", "S0123", "5d", "stage v = 5d"),
        ("", "stage v = .id || .text", "S0107", "texts are joined by `+`", ""),
        (
            "",
            "stage v: percent = to_float(.n) / 2.0",
            "S0301",
            "a share that is computed is a `float`",
            "",
        ),
        ("", "stage v = this.n + 1", "S0201", "a dot alone", "stage v = .n + 1"),
        ("", "stage v = revs.n + 1", "S0201", "a dot alone", "stage v = .n + 1"),
        ("", "stage v = frobs", "S0201", "fields are `.id`, `.text`", ""),
    ]);
}

#[test]
fn a_field_of_what_may_be_null() {
    let text = RIGHT
        .replace("text: string,", "text: string, to: Place?,")
        .replace("// here", "stage v = .to?.city");
    let text = text.replace("enum Kind", "type Place { city: string }\nenum Kind");
    let compiled = compile_with("x.sage", &text, &[], &[]);
    let shown = plain(&compiled);
    let error = compiled.diagnostics.iter().find(|it| it.is_error()).unwrap();
    assert!(shown.contains("`.` goes through null") && shown.matches("error[").count() == 1);
    let fix = error.fix.clone().unwrap();
    let mut mended = text;
    mended.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
    assert!(mended.contains("stage v = .to.city"), "{mended}");
    assert!(!compile_with("x.sage", &mended, &[], &[]).failed());
}

#[test]
fn conditions() {
    check(&[
        (
            "stage z = to_string(k)",
            "stage z = to_string(k)\n  where k == Kind.a",
            "S0201",
            "a variant is a bare word",
            "where k == a",
        ),
        (
            "stage z = to_string(k)",
            "stage z = to_string(k)\n  where k == Kind::a",
            "S0101",
            "a variant is a bare word",
            "where k == a",
        ),
        (
            "stage z = to_string(k)",
            "stage z = to_string(k)\n  where k is a",
            "S0101",
            "`is` is not an operator",
            "where k == a",
        ),
        (
            "stage z = to_string(k)",
            "stage z = to_string(k)\n  where k == a or b",
            "S0304",
            "k in [a, b]",
            "where k in [a, b]",
        ),
        (
            "stage z = to_string(k)",
            "stage z = to_string(k)\n  where k != a or b",
            "S0304",
            "not (k in [a, b])",
            "",
        ),
        (
            "",
            "where .text not contains \"x\"",
            "S0101",
            "`not` stands in front",
            "where not .text contains \"x\"",
        ),
        (
            "",
            "where .n > 1 and .text not contains \"x\"",
            "S0101",
            "`not` stands in front",
            "where .n > 1 and not .text contains \"x\"",
        ),
    ]);
}

#[test]
fn steps() {
    check(&[
        ("from revs", "from revs as r", "S0101", "no other name", "from revs\n"),
        ("from revs", "from revs limit 10", "S0101", "--limit 10", ""),
        ("from revs", "from revs, other", "S0101", "a flow has one source", ""),
        (
            "stage k = generate(kind_of(.text)) on llm\n  stage z = to_string(k)",
            "stage z = .text\n  left join revs on .id == revs.id",
            "S0101",
            "join left source",
            "join left revs on",
        ),
        (
            "stage k = generate(kind_of(.text)) on llm\n  stage z = to_string(k)",
            "stage z = .text\n  inner join revs on .id == revs.id",
            "S0101",
            "join source on",
            "  join revs on",
        ),
        (
            "stage k = generate(kind_of(.text)) on llm\n  stage z = to_string(k)",
            "stage z = .text\n  full outer join revs on .id == revs.id",
            "S0101",
            "there is no `full join`",
            "",
        ),
        ("", "window tumbling(1min)", "S0113", "a window belongs to a group", ""),
        ("", "match .n { 1 => 2 }", "S0113", "route value", ""),
        ("", "dedup on .text", "S0101", "behind `by`", "dedup by .text"),
        ("", "flat_map w in words(.text)", "S0101", "behind `=`", "flat_map w = words(.text)"),
        (
            "",
            "loop 3 until c > 3 {\n carry c = 0\n carry c = c + 1\n }",
            "S0101",
            "up to",
            "loop up to 3",
        ),
        (
            "",
            "loop up to p until c > 3 {\n carry c = 0\n carry c = c + 1\n }",
            "S0101",
            "a written number",
            "",
        ),
        (
            "",
            "loop up to 3 until c > 3 {\n carry c = 0\n c = c + 1\n }",
            "S0101",
            "set by `carry`",
            " carry c = c + 1",
        ),
        ("", "out.emit(Out { id: .id })", "S0101", "emit Type { ... } into out", ""),
        ("into out", "into out when .n > 3", "S0101", "behind `if`", "into out if .n > 3"),
        (
            "{ id: .id, n: .n, s: z }",
            "{ .id, n: .n, s: z }",
            "S0101",
            "id: .id",
            "{ id: .id, n: .n, s: z }",
        ),
        (
            "generate(kind_of(.text)) on llm",
            "generate(kind_of(.text)) { max_tokens: 4 } on llm",
            "S0101",
            "in front of the options",
            "on llm { max_tokens: 4 }",
        ),
        (
            "generate(kind_of(.text)) on llm",
            "generate(kind_of(.text), llm)",
            "S0215",
            "write `generate(...) on llm`",
            "",
        ),
        (
            "generate(kind_of(.text)) on llm",
            "generate(prompt: kind_of(.text), endpoint: llm)",
            "S0215",
            "write `generate(...) on llm`",
            "",
        ),
        (
            "generate(kind_of(.text)) on llm",
            "generate(kind_of(.text)) on llm { retries: 3 }",
            "S0207",
            "retry: backoff",
            "",
        ),
        (
            "-> Kind \"\"\"Which? {{ t }}\"\"\"",
            "-> Kind { system: \"x\" }",
            "S0101",
            "a prompt is one text",
            "",
        ),
        (
            "-> Kind \"\"\"Which",
            "-> Kind = \"\"\"Which",
            "S0101",
            "without a sign",
            "-> Kind \"\"\"Which",
        ),
        (
            "stage z = to_string(k)",
            "route { when .n > 3 => { stage z = \"x\" } else => { stage z = \"y\" } }",
            "S0101",
            "a `route` goes by a value",
            "",
        ),
        (
            "stage z = to_string(k)",
            "route k { when a, b => { stage z = \"x\" } }",
            "S0101",
            "one constant",
            "",
        ),
        (
            "stage z = to_string(k)",
            "route k { when \"a\" => { stage z = \"x\" } else => { stage z = \"y\" } }",
            "S0413",
            "bare words",
            "when a =>",
        ),
        (
            "stage z = to_string(k)",
            "route k { a => { stage z = \"x\" } else => { stage z = \"y\" } }",
            "S0101",
            "begins with `when`",
            "{ when a =>",
        ),
    ]);
}

#[test]
fn declarations() {
    check(&[
        ("stars: int?", "stars?: int", "S0101", "stars: int?", "stars: int?,"),
        (
            "id: string @key, text",
            "id: string primary key, text",
            "S0101",
            "@key",
            "id: string @key, text",
        ),
        ("stars: int?", "stars: map<string, int>", "S0101", "there are no maps", ""),
        ("csv(\"reviews.csv\")", "csv([\"a.csv\", \"b.csv\"])", "S0301", "one path is due", ""),
        (
            "csv(\"out.csv\")",
            "csv(\"out.csv\", mode: changes)",
            "S0205",
            "csv(...) { mode: ... }",
            "",
        ),
        (
            "csv(\"reviews.csv\")",
            "csv(\"reviews.csv\") { changes: text }",
            "S0301",
            "in quotes",
            "{ changes: \"text\" }",
        ),
        ("csv(\"reviews.csv\")", "csv(\"reviews.csv\") { limit: 10 }", "S0207", "--limit 10", ""),
        ("url: ", "base_url: ", "S0207", "it is called `url`", "{ url: "),
        ("url: ", "provider: openai, url: ", "S0207", "where its `url` leads", ""),
        (
            "url: ",
            "price: { input: 0.15/1M, output: 0.6/Mtok }, url: ",
            "S0123",
            "0.15/Mtok",
            "input: 0.15/Mtok,",
        ),
        (
            "url: ",
            "price: { input: 0.15/M, output: 0.6/Mtok }, url: ",
            "S0123",
            "0.15/Mtok",
            "input: 0.15/Mtok,",
        ),
        (
            "url: ",
            "price: { prompt: 0.15/Mtok, output: 0.6/Mtok }, url: ",
            "S0207",
            "it is called `input`",
            "{ input: 0.15",
        ),
        ("url: ", "limits: { rpm: 600 }, url: ", "S0207", "requests: 600/min", ""),
        (
            "+",
            "schedule { priority: .n desc }",
            "S0101",
            "take the largest first",
            "priority: .n }",
        ),
        ("+", "schedule { workers: 4 }", "S0207", "--workers 4", ""),
    ]);
}

#[test]
fn groups() {
    let tail = "}\ntype Row { id: string @key, n: int }\nsink rows: Row to csv(\"r.csv\")\nflow g {\n  from revs\n  STEP\n  emit Row { id: .text, n: .n } into rows\n}\n//";
    let guess = |step: &str| tail.replace("STEP", step);
    for (step, words, left) in [
        ("group by .text { n: count(distinct .id) }", "count_distinct", "n: count_distinct(.id)"),
        (
            "group by .text { n: count(.stars) }",
            "count(.stars != null)",
            "n: count(.stars != null)",
        ),
        ("group by .text { n: count(.id) }", "never null", "n: count()"),
        ("group by .text { n: bottom_k(.n, 3) }", "0 - .n", ""),
        ("group by .text { n: p95(.n) }", "quantile(.n, 0.95)", ""),
        ("group by .text { n: argmax(.id, .n) }", "top_k(.id, 1, by: .n)", ""),
        (
            "group by .text window tumbling(1min) on .at { n: count() }",
            "by:",
            "tumbling(1min, by: .at) {",
        ),
        (
            "group by .text { n: count(), m: top_k(.id, 3, by: .n desc) }",
            "largest first",
            "by: .n) }",
        ),
    ] {
        let text = RIGHT.replacen("}\n\"#", "", 1);
        let text = format!("{}{}", text.trim_end().trim_end_matches('}'), guess(step));
        let compiled = compile_with("x.sage", &text, &[], &[]);
        let shown = plain(&compiled);
        let first = compiled.diagnostics.iter().find(|it| it.is_error()).unwrap();
        let said = format!("{} {}", first.message, first.help.clone().unwrap_or_default());
        assert!(said.contains(words), "{step}\n{shown}");
        let errors = compiled.diagnostics.iter().filter(|it| it.is_error()).count();
        assert_eq!(errors, 1, "{step}\n{shown}");
        let Some(fix) = &first.fix else {
            assert!(left.is_empty(), "{step}\n{shown}");
            continue;
        };
        let mut mended = text.clone();
        mended.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
        assert!(!left.is_empty() && mended.contains(left), "{step}\n{mended}");
        let again = compile_with("x.sage", &mended, &[], &[]);
        assert!(!again.failed(), "{mended}\n{}", plain(&again));
    }
}

#[test]
fn calls() {
    for (call, words) in [
        ("least(1, 2)", "write `min`"),
        ("greatest(1, 2)", "write `max`"),
        ("token_count(.text)", "write `count_tokens`"),
        ("first(words(.text))", "list[0]"),
        ("duration(\"3s\")", "a duration is written `3s`"),
        ("to_bool(.text)", ".text == \"true\""),
        ("parse_json(.text)", "JSON is read by its source"),
        ("regex_replace(.text, \"a\", \"b\")", "there are no patterns"),
        ("classify(.text)", "generate(prompt_name(.text)) on endpoint"),
        ("range(3)", "generate(1000)"),
        ("frobnicate(.text)", "list functions"),
    ] {
        let text = replaced("", &format!("stage v = {call}"));
        let compiled = compile_with("x.sage", &text, &[], &[]);
        let shown = plain(&compiled);
        assert!(shown.contains(words), "{call}\n{shown}");
        assert_eq!(shown.matches("error[").count(), 1, "{call}\n{shown}");
    }
}

#[test]
fn results_and_tests() {
    const GIVEN: &str =
        "given Rev { id: \"a\", text: \"b\", stars: null, at: time(\"2026-01-01\"), n: 1 }";
    check(&[
        ("+", "slo { p99_latency < 5s }", "S0614", "p99(latency)", "slo { p99(latency) < 5s }"),
        ("+", "slo { avg_latency < 5s }", "S0614", "mean(latency)", "slo { mean(latency) < 5s }"),
        ("+", "slo { max_latency < 5s }", "S0614", "`latency_mean_ms`", ""),
        ("+", "slo { error_rate < 1% }", "S0614", "success >= 99%", ""),
        ("+", "slo { dead_letters == 0 }", "S0614", "dead == 0", ""),
        ("+", "slo { p99(latency) by .kind < 3s }", "S0101", "of all records together", ""),
        ("+", "slo { latency by node < 3s }", "S0101", "of all records together", ""),
        ("+", "slo { throughput > 10 rps }", "S0123", "10/s", "slo { throughput > 10/s }"),
        (
            "+",
            "measure to csv(\"f.csv\") { queue_length }",
            "S0801",
            "tasks_pending",
            "{ tasks_pending }",
        ),
        (
            "+",
            "measure to csv(\"f.csv\") { dead_letters }",
            "S0801",
            "tasks_dead",
            "{ tasks_dead }",
        ),
        (
            "+",
            "measure to csv(\"f.csv\") { p99(latency) }",
            "S0101",
            "latency.p99",
            "{ latency.p99 }",
        ),
        ("+", "measure every 1s to csv(\"f.csv\") { latency }", "S0101", "behind the sink", ""),
        (
            "+",
            "experiment e { jobs: [f]\n measure: [balance] }",
            "S0604",
            "it is called `report`",
            "",
        ),
        (
            "+",
            "experiment e { jobs: [f]\n vary nodes in [1, 2] }",
            "S0113",
            "a sweep is",
            "sweep nodes in [1, 2]",
        ),
        (
            "+",
            "experiment e { jobs: [f]\n sweep nodes: [1, 2] }",
            "S0101",
            "behind `in`",
            "sweep nodes in [1, 2]",
        ),
        (
            "+",
            "experiment e { jobs: [f]\n assert balance > 1 }",
            "S0113",
            "claim \"in words\" { balance > 1 }",
            "",
        ),
        (
            "+",
            "experiment e { jobs: [f]\n sweep policy in [fifo, priority]\n claim \"x\" { p99(latency, fifo) < 5s } }",
            "S0614",
            "in brackets behind it",
            "p99(latency)[fifo] < 5s",
        ),
    ]);
    for (part, code, words, left) in [
        (
            "given revs [Rev { id: \"a\", text: \"b\", stars: null, at: time(\"2026-01-01\"), n: 1 }]\n expect out.count == 1",
            "S0101",
            "by their type alone",
            "given [Rev",
        ),
        (
            "given revs = [Rev { id: \"a\", text: \"b\", stars: null, at: time(\"2026-01-01\"), n: 1 }]\n expect out.count == 1",
            "S0101",
            "by their type alone",
            "given [Rev",
        ),
        ("GIVEN\n mock k: a\n expect out.count == 1", "S0101", "mock stage = value", "mock k = a"),
        (
            "GIVEN\n mock k returns a\n expect out.count == 1",
            "S0101",
            "mock stage = value",
            "mock k = a",
        ),
        ("GIVEN\n mock llm = a\n expect out.count == 1", "S0704", "is an endpoint", ""),
        ("GIVEN\n expect sum(out.n) == 1", "S0204", "single rows", ""),
        ("GIVEN\n expect out.n > 0", "S0302", "`out.n[0]`", ""),
    ] {
        let part = part.replace("GIVEN", GIVEN);
        let text: &'static str = Box::leak(format!("test \"x\" {{ {part} }}").into_boxed_str());
        check(&[("+", text, code, words, left)]);
    }
}
