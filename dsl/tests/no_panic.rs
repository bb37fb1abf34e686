//! Whatever the text, the compiler answers.

mod common;

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{compile_with, plain};
use proptest::prelude::*;

const SEEDS: &[&str] = &[
    include_str!("corpus/ok/rag.sage"),
    include_str!("corpus/ok/compute.sage"),
    include_str!("corpus/ok/expressions.sage"),
    include_str!("corpus/ok/endpoints.sage"),
    include_str!("corpus/ok/endpoint_rules.sage"),
    include_str!("corpus/ok/side_by_side.sage"),
    include_str!("corpus/ok/structured.sage"),
    include_str!("corpus/ok/own_experiments.sage"),
    include_str!("corpus/ok/adaptive_rag.sage"),
    include_str!("corpus/err/broken_steps.sage"),
];

/// Pieces that programs are made of, whole and broken.
const PIECES: &[&str] = &[
    "sage 1\n",
    "import \"x.sage\"",
    "param x: int = 3\n",
    "type T { a: int @key, b: [T] }\n",
    "enum E { a, b }\n",
    "endpoint e { url: \"http://x\" }\n",
    "source s: T from csv(\"f\")\n",
    "sink o: T to stdout()\n",
    "index i: T from jsonl(\"f\")\n",
    "prompt p(a: string) \"\"\"{{ a }}\"\"\"\n",
    "fn f(x: int) -> int = f(x)\n",
    "flow f {\n",
    "from s\n",
    "stage a = ",
    "where ",
    "emit into o\n",
    "emit T { a: 1 } into o if ",
    "schedule { policy: fifo }",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "\"\"\"",
    "'",
    "#",
    ";",
    "//",
    "\n",
    " ",
    "if a then b else c",
    "match x { a => 1, _ => 2 }",
    "not ",
    "-",
    "!",
    "==",
    "=",
    "??",
    "&&",
    "30",
    "30s",
    "30 s",
    "99%",
    "5/min",
    "1e5",
    ".x",
    ".",
    "x",
    "X",
    "a.b[0]",
    "hash_chain(",
    "generate(p(.x)) on e { timeout: 30 }",
    "env(\"A\")",
    ":",
    ",",
    "=>",
    "->",
    "@key",
    "route x { when a => { } }",
    "loop up to 3 { }",
    "test \"t\" { expect 1 == 1 }",
    "ü",
    "\u{0}",
    "🙂",
    "9223372036854775807",
    "-9223372036854775808",
    "slo { p99(latency) < 1s }\n",
    "experiment e {\n",
    "jobs: [f, g = f { tasks: 3 }]\n",
    "sweep nodes in [1, 4]\n",
    "sweep policy in all\n",
    "sweep level in [low { tasks: 3 }, high { nodes: 2 }]\n",
    "claim \"c\" { throughput[1] < max(throughput[x][4]) }\n",
    "quick { nodes: [1], repeat: 1 }\n",
    "together\n",
    "repeat: 3, seed: 1, baseline: fifo\n",
    "failures: [node(1, at: 3s)]\n",
    "carry x = 1",
];

/// A text that takes so long hangs. The slowest takes about a second; how many is the machine's
/// business, so this is no measure of speed: what grows without bounds is longer on any machine.
const HANGS: Duration = Duration::from_secs(150);

/// Bytes of a large program. Time that grows with the square of them is found as surely as by a
/// program of the largest size and four times the patience, in a quarter of the time.
const LARGE: usize = 400_000;

/// Compile in a thread of its own, because nothing else ends a hang.
fn answers(text: &str) -> Result<(), TestCaseError> {
    let start: String = text.chars().take(200).collect();
    let (text, (tell, told)) = (text.to_owned(), mpsc::channel());
    let compiling = thread::spawn(move || {
        let _ = tell.send(try_answer(&text));
    });
    match told.recv_timeout(HANGS) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(TestCaseError::fail(format!("hangs: {start}"))),
        // It panicked.
        Err(mpsc::RecvTimeoutError::Disconnected) => match compiling.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => Err(TestCaseError::fail(format!("ended without an answer: {start}"))),
        },
    }
}

fn try_answer(text: &str) -> Result<(), TestCaseError> {
    let compiled = compile_with("x.sage", text, &[("x".to_owned(), "3".to_owned())], &[]);
    let _ = plain(&compiled);
    for plan in &compiled.plans {
        let _ = sage_dsl::explain(plan);
        let json = serde_json::to_string(plan).expect("serialisable");
        prop_assert!(serde_json::from_str::<sage_dsl::plan::Plan>(&json).is_ok());
    }
    for experiment in &compiled.experiments {
        let _ = sage_dsl::explain_experiment(experiment);
        let json = serde_json::to_string(experiment).expect("serialisable");
        let back = serde_json::from_str::<sage_dsl::experiment::Experiment>(&json);
        prop_assert!(back.is_ok(), "{json}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_text(text in "\\PC{0,200}") {
        answers(&text)?;
    }

    #[test]
    fn random_pieces(pieces in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = pieces.into_iter().map(|at| PIECES[at]).collect();
        answers(&text)?;
    }

    #[test]
    fn mutated_programs(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, 0..PIECES.len()), 1..6),
    ) {
        let mut text = SEEDS[seed].to_owned();
        for (at, length, piece) in edits {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let Some(start) = (!places.is_empty()).then(|| *at.get(&places)) else { break };
            let end = text[start..].char_indices().nth(length * 4).map_or(text.len(), |(n, _)| start + n);
            text.replace_range(start..end, PIECES[piece]);
        }
        answers(&text)?;
    }

    #[test]
    fn repeated_pieces(first in 0..PIECES.len(), second in 0..PIECES.len(), times in 1..1200_usize) {
        let text = format!("{}{}", PIECES[first], PIECES[second]).repeat(times);
        answers(&text)?;
    }
}

/// A flow with a stage whose expression nests.
fn nested(open: &str, close: &str, times: usize) -> String {
    let value = format!("{}.a{}", open.repeat(times), close.repeat(times));
    format!(
        "sage 1\ntype T {{ a: int, t: string? }}\nsource s: T from csv(\"f\")\nsink o to stdout()\n\
         flow f {{\n  from s\n  stage x = {value}\n  emit into o\n}}\n"
    )
}

/// Lines up to a large file.
fn many(line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for n in 0.. {
        text += &line(n);
        if text.len() > LARGE {
            break;
        }
    }
    text
}

/// An experiment on a flow that exists.
fn study(parts: &str) -> String {
    let flow = "sage 1\ntype T { a: int }\nsource s: T from csv(\"f\")\nsink o to stdout()\n\
                flow f {\n  from s\n  emit into o\n}\n";
    format!("{flow}experiment e {{\n  jobs: [f]\n{parts}\n}}\n")
}

fn points(count: usize) -> String {
    (0..count).map(|n| format!("p{n} {{ }}, ")).collect()
}

fn lines(line: impl Fn(usize) -> String) -> String {
    (0..200).map(line).collect::<Vec<_>>().concat()
}

#[test]
fn large_and_deep_inputs_are_refused_or_answered() {
    for text in [
        "(".repeat(100_000),
        "{".repeat(100_000),
        "a".repeat(2 << 20),
        many(|n| format!("param p{n}: int = {n}\n")),
        many(|n| format!("param p{n}: int = q{n}\n")),
        many(|n| format!("typ p{n}: int = q{n}\n")),
        format!("flow f {{\n{}}}\n", many(|n| format!("stage a{n} = {n}\n"))),
        format!("flow f {{\n{}}}\n", many(|n| format!("stag a{n} = {n}\n"))),
        format!("endpoint e {{\n{}}}\n", many(|n| format!("a{n}: {n}\n"))),
        format!("endpoint e {{\n{}}}\n", many(|n| format!("a{n} {n}\n"))),
        format!("enum E {{\n{}}}\n", many(|n| format!("a{n}, "))),
        format!("type T {{\n{}}}\n", many(|n| format!("a{n}: int, "))),
        format!("slo {{\n{}}}\n", many(|n| format!("balance > {n}\n"))),
        format!("slo {{\n{}}}\n", many(|n| format!("balanse > {n}\n"))),
        format!("slo {{ 0 < {}balance{} }}\n", "-abs(".repeat(19), ")".repeat(19)),
        format!("slo {{ balance < 1{} }}\n", " and balance < 1".repeat(47)),
        format!("slo {{ {}balance < 1{} }}\n", "(".repeat(39), " or balance < 1)".repeat(39)),
        study(&many(|n| format!("a{n}: {n}\n"))),
        study(&many(|n| format!("a{n} {n}\n"))),
        study(&many(|n| format!("sweep a{n} in [p{n} {{ tasks: {n} }}]\n"))),
        study(&many(|n| format!("claim \"{n}\" {{ throughput[{n}] > 1 }}\n"))),
        study(&format!("sweep tasks in [{}]\n", many(|n| format!("{n}, ")))),
        study(&format!("sweep a in [{}]\n", many(|n| format!("p{n} {{ tasks: {n} }}, ")))),
        study(&format!("speeds: [{}]\n", many(|n| format!("{n}, ")))),
        study(&format!("failures: [{}]\n", many(|n| format!("node({n}, at: 1s), ")))),
        study(&(0..40).map(|n| format!("sweep a{n} in [{}]\n", points(1_000))).collect::<String>()),
        study(&format!(
            "sweep a in [{}]\nsweep b in [{}]\n{}",
            points(1_000),
            points(900),
            (0..900)
                .map(|n| format!(
                    "claim \"{n}\" {{ max(balance[p{n}]{}) > 1 }}\n",
                    format!(" + balance[p{n}]").repeat(40)
                ))
                .collect::<String>()
        )),
        study("quick { ").repeat(1000),
        format!("experiment e {{ jobs: [{}] }}\n", many(|n| format!("j{n} = f, "))),
        many(|n| format!("experiment e{n} {{ jobs: [f{n}] }}\n")),
        format!("param x: int = f({})\n", many(|n| format!("a{n}, "))),
        many(|n| format!("import \"{n}\"\n")),
        format!("param x: int = {}1", "-".repeat(100_000)),
        format!("param x: int = {}1", "not ".repeat(100_000)),
        format!("param x: int = {}1", "if a then b else ".repeat(10_000)),
        format!("param x: int = 1{}", " + 1".repeat(100_000)),
        format!("param x: [int] = [{}]", "1, ".repeat(100_000)),
        format!("param x: int = a{}", ".b".repeat(100_000)),
        format!("param x: int = a{}", "[0]".repeat(100_000)),
        format!("param x: {}int{}", "[".repeat(39), "]".repeat(39)),
        format!("param x: int = {}1{}", "(".repeat(39), " + 1)".repeat(39)),
        format!(
            "param x: int = {}1{}",
            "(".repeat(39),
            format!("{})", " + 1".repeat(47)).repeat(39)
        ),
        format!("param x: int = {}1{}", "abs(".repeat(39), ")".repeat(39)),
        format!("param x: int = {}1{}", "[".repeat(39), "]".repeat(39)),
        nested("{ a: ", "}", 30),
        nested("[{ a: ", "}]", 18),
        nested("if .a == 1 then 2 else ", "", 30),
        nested("match .a { 1 => 2, _ => ", "}", 18),
        nested("length([", "])", 18),
        nested(".t ?? (", ")", 39),
        (0..15).rev().fold("fn g15(x: int) -> int = x + 1\n".to_owned(), |all, n| {
            all + &format!("fn g{n}(x: int) -> int = g{}(x) * 2 + g{}(1)\n", n + 1, n + 1)
        }) + &nested("g0(", ")", 2),
        lines(|n| format!("fn f{n}(x: int) -> int = f{}(x) + f{}(x)\n", n + 1, n + 1)),
        lines(|n| format!("type T{n} {{ a: T{}, b: T{} }}\n", n + 1, n + 1)),
        lines(|n| format!("param p{n}: int = p{} + p{}\n", n + 1, n + 1)),
    ] {
        answers(&text).expect("an answer");
    }
}

#[test]
fn line_ends_and_marks_of_other_systems_are_read() {
    let text = SEEDS[1].replace('\n', "\r\n");
    assert!(!compile_with("x.sage", &format!("\u{feff}{text}"), &[], &[]).failed());
    let prompts = compile_with("x.sage", &SEEDS[0].replace('\n', "\r\n"), &[], &[]);
    assert!(!prompts.plans[0].templates[0].text.contains('\r'));
}
