//! A plan that was rewritten does what the plan does that is as it was written.
//!
//! Both run in virtual time through the dataflow of a run, over flows that proptest makes up.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;
use sage_core::endpoint::{Answer, Call, CallOutcome, Completion, Endpoint, Generation, Request};
use sage_dataflow::sinks::{file_name, header, join_parts};
use sage_dataflow::{
    DEAD_LETTERS, Progress, Reporter, RunSettings, VirtualTime, WorkerSetup, World, commit,
    rehearse,
};
use sage_dsl::catalog::Catalog;
use sage_dsl::plan::Plan;
use sage_dsl::rewrite;

/// The flow with these steps: as it is rewritten, and as it is written.
fn plans(steps: &str) -> (Plan, Plan) {
    let (plan, written) = compiled(&format!(
        "sage 1\n\
         type Item {{ id: string @key, n: int, text: string }}\n\
         type Row {{ id: string, value: int, text: string }}\n\
         endpoint llm {{ url: \"http://127.0.0.1:9\", model: \"m\" }}\n\
         endpoint idle {{ url: \"http://127.0.0.1:9\", model: \"m\" }}\n\
         source items: Item from generate(count: 30, n: 7, text: \"item {{{{ n }}}}\")\n\
         sink rows: Row to jsonl(\"rows.jsonl\")\n\
         sink others: Row to jsonl(\"others.jsonl\")\n\
         flow f {{\n  from items\n{steps}}}\n"
    ));
    (plan, rewrite::plain(written))
}

/// The plan that runs, and the one that no rule has seen.
fn compiled(text: &str) -> (Plan, Plan) {
    let catalog = Catalog {
        stages: sage_dataflow::stages::SPECS,
        sources: sage_dataflow::sources::SIGNATURES,
        documents: &[],
        sinks: sage_dataflow::sinks::SIGNATURES,
        policies: sage_core::policies::signatures(),
        profiles: &["a100/qwen2.5-7b"],
        models: &[],
        columns: &[],
        own_files: &[],
    };
    let mut compiled = sage_dsl::compile(sage_dsl::Request {
        path: "test.sage",
        text,
        overrides: &[],
        env: &|_| None,
        load: &|path| Err(format!("no file {path}")),
        catalog: &catalog,
    });
    let errors: Vec<_> = compiled.diagnostics.iter().filter(|found| found.is_error()).collect();
    assert!(errors.is_empty(), "{text}\n{errors:#?}");
    (compiled.plans.pop().unwrap(), compiled.written.pop().unwrap())
}

/// Nothing happens outside: the endpoint answers at once.
struct Nothing;

impl World for Nothing {
    fn next_ns(&self) -> Option<u64> {
        None
    }

    fn advance(&self, _now_ns: u64) {}
}

struct Silent;

impl Reporter for Silent {
    fn progress(&self, _progress: Progress) {}

    fn failure(&self, message: String) {
        panic!("{message}");
    }
}

/// Says at once what it is asked, and counts.
struct Echo(Arc<AtomicU64>);

impl Endpoint for Echo {
    fn submit(&self, call: Call, completion: Completion) {
        self.0.fetch_add(1, Ordering::Relaxed);
        let Request::Generate { prompts, .. } = call.request else { return };
        let texts = prompts.into_iter().map(|text| Generation { text, ..Generation::default() });
        let result = Ok(Answer::Generated(texts.collect()));
        completion.complete(CallOutcome { result, attempts: 1, first_token_ns: None });
    }
}

/// Sorted lines of all files, with what makes a dead letter one; and the number of calls.
fn outcome(plan: Plan) -> (Vec<String>, u64) {
    let (lines, calls, _) = timed(plan);
    (lines, calls)
}

/// The same, and the virtual seconds that it took.
fn timed(plan: Plan) -> (Vec<String>, u64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let calls: Arc<AtomicU64> = Arc::default();
    let setup = WorkerSetup {
        plan: plan.clone(),
        settings: RunSettings {
            out: folder.path().to_owned(),
            generation: 1,
            origin_ns: 0,
            seed: 1,
            threads: 1,
            tasks: None,
            limit: None,
            arrivals: None,
            nodes: Vec::new(),
        },
        index: 0,
        sockets: Vec::new(),
        service: None,
        endpoint: Arc::new(Echo(Arc::clone(&calls))),
        indexes: Vec::new(),
        begin: None,
        stop: Arc::new(AtomicBool::new(false)),
        reporter: Arc::new(Silent),
        outside: sage_dataflow::Outside::default(),
    };
    let worker = rehearse(setup, VirtualTime::default(), &Nothing).unwrap();
    let commit = commit::read(folder.path()).unwrap();
    let mut lines = Vec::new();
    for sink in &plan.sinks {
        let name = file_name(sink).unwrap();
        join_parts(folder.path(), &name, &header(sink), &commit, true).unwrap();
        let text = std::fs::read_to_string(folder.path().join(&name)).unwrap();
        lines.extend(text.lines().map(|line| format!("{name}: {line}")));
    }
    join_parts(folder.path(), DEAD_LETTERS, b"", &commit, true).unwrap();
    let dead = std::fs::read_to_string(folder.path().join(DEAD_LETTERS)).unwrap();
    lines.extend(dead.lines().map(|line| format!("dead: {line}")));
    lines.sort();
    // A source that leaves out all records has none.
    let makespan_s = worker.summary.and_then(|summary| summary.makespan_s).unwrap_or(0.0);
    (lines, calls.load(Ordering::Relaxed), makespan_s)
}

/// A step; `at` is how many stages there are before it.
fn step(kind: u8, a: usize, k: i64, at: usize) -> (String, bool) {
    let value = |pick: usize| match pick % (at + 2) {
        0 => "length(.text)".to_owned(),
        1 => "abs(fnv1a(.id) % 11)".to_owned(),
        stage => format!("s{}", stage - 2),
    };
    let (first, second) = (value(a), value(a / 7));
    let stage = |call: &str| (format!("  stage s{at} = {call}\n"), true);
    match kind % 9 {
        0 => stage(&format!("{first} + {k}")),
        1 => stage(&format!("if {first} > {k} then {second} else {first} * 2")),
        2 => stage(&format!("length(upper(.text)) + {second} % 5")),
        3 => (format!("  where {first} % 4 != {}\n", k % 4), false),
        4 => (format!("  where {first} + {second} > {k} or {second} % 2 == 0\n"), false),
        5 => {
            let text = format!("to_string({first} % 3)");
            let asks = format!("  stage t{at} = generate({text}) on llm {{ temperature: 0.0 }}\n");
            (format!("{asks}  stage s{at} = length(t{at}.text)\n"), true)
        }
        6 => {
            let waits = format!("  stage w{at} = sleep({}ms)\n", k.rem_euclid(50));
            (format!("{waits}  stage s{at} = {first} + 1\n"), true)
        }
        // Between two that wait: an expression that cannot fail, or one that reads the first.
        7 => {
            let asks = format!("  stage t{at} = generate(to_string({first})) on llm\n");
            let value = format!("max({first}, {second})");
            (format!("{asks}  stage s{at} = max(length(t{at}.text), {value})\n"), true)
        }
        _ => {
            let asks = format!("  stage u{at} = generate(to_string({second})) on llm\n");
            (
                format!(
                    "  stage s{at} = min({first}, {k})\n{asks}  where length(u{at}.text) > 0\n"
                ),
                true,
            )
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn rewritten_and_plain_plans_give_the_same_rows(
        steps in prop::collection::vec((any::<u8>(), 0..100_usize, 0..12_i64), 1..9),
        condition in 0..6_i64,
    ) {
        let mut text = String::new();
        let mut stages = 0;
        for (kind, a, k) in steps {
            let (line, is_stage) = step(kind, a, k, stages);
            text.push_str(&line);
            stages += usize::from(is_stage);
        }
        let last = if stages == 0 { "length(.text)".to_owned() } else { format!("s{}", stages - 1) };
        text.push_str(&format!(
            "  emit Row {{ id: .id, value: {last}, text: .text }} into rows\n  \
             emit Row {{ id: .id, value: 1, text: .text }} into others if {last} > {condition}\n"
        ));
        let (rewritten, plain) = plans(&text);
        let ((rows, calls), (wanted, at_most)) = (outcome(rewritten), outcome(plain));
        prop_assert_eq!(rows, wanted, "{}", text);
        prop_assert!(calls <= at_most, "{calls} > {at_most}: {text}");
    }
}

#[test]
fn what_is_dropped_and_what_is_asked_twice_costs_nothing() {
    let (rewritten, plain) = plans(
        "  stage one = generate(.text) on llm { temperature: 0.0 }\n  \
           stage two = generate(.text) on llm { temperature: 0.0 }\n  \
           stage three = generate(.text) on llm\n  \
           where abs(fnv1a(.id) % 2) == 0\n  \
           emit Row { id: one.text, value: length(two.text), text: three.text } into rows\n",
    );
    assert_eq!((rewritten.endpoints.len(), plain.endpoints.len()), (1, 2));
    let ((rows, calls), (wanted, all)) = (outcome(rewritten), outcome(plain));
    assert_eq!(rows, wanted);
    let kept = rows.len() as u64;
    assert!(kept > 0 && kept < 30);
    assert_eq!((calls, all), (2 * kept, 90));
}

#[test]
fn calls_with_an_expression_between_them_are_open_at_once() {
    let (rewritten, plain) = plans(
        "  stage one = sleep(100ms)\n  \
           stage low = lower(.text)\n  \
           stage long = length(low) > 3\n  \
           stage two = sleep(100ms)\n  \
           stage sum = .n + 1\n  \
           stage three = sleep(100ms)\n  \
           emit Row { id: .id, value: if long then sum else 0, text: low } into rows\n",
    );
    let order: Vec<&str> = rewritten.stages().map(|stage| stage.name.as_str()).collect();
    // A sum may overflow, and then there is nothing to wait for.
    assert_eq!(order, ["one", "two", "low", "long", "sum", "three"]);
    let columns: Vec<&str> = rewritten.columns[3..].iter().map(|it| it.name.as_str()).collect();
    assert_eq!(columns, order);
    let ((rows, _, short_s), (wanted, _, long_s)) = (timed(rewritten), timed(plain));
    assert_eq!(rows, wanted);
    // Two waits in place of three.
    assert!(short_s < 0.7 * long_s, "{short_s} s, {long_s} s");
}

/// A flow whose records are the elements of a list, made of numbers: what stands in front of the
/// `flat_map`, which list it is of, what follows, and what all of these read.
fn elements(
    before: &[(u8, usize, i64)],
    list: u8,
    behind: &[(u8, usize, i64)],
    last: usize,
) -> String {
    let mut text = String::new();
    // Values that are numbers, those of the record first.
    let mut values: Vec<String> =
        ["length(.text)", "length(.title)", "abs(fnv1a(.id) % 11)"].map(str::to_owned).to_vec();
    let pick = |values: &[String], at: usize| values[at % values.len()].clone();
    for (number, (kind, at, k)) in before.iter().enumerate() {
        let value = pick(&values, *at);
        match kind % 4 {
            0 => text.push_str(&format!("  where {value} % 4 != {}\n", k % 4)),
            1 => {
                text.push_str(&format!(
                    "  stage c{number} = chunk(.text, by: tokens, size: 1 + {value} % 5)\n"
                ));
                values.push(format!("length(c{number})"));
            }
            _ => {
                text.push_str(&format!("  stage b{number} = {value} + {k}\n"));
                values.push(format!("b{number}"));
            }
        }
    }
    let parts =
        ["split(.text, \"|\")", "words(.text + \" \" + .title)", "split(.title + \"|x\", \" \")"];
    text.push_str(&format!("  flat_map part = {}\n", parts[usize::from(list) % parts.len()]));
    if list.is_multiple_of(2) {
        text.push_str(&format!("  dedup by part, {} % 2\n", pick(&values, last / 3)));
    }
    values.extend(["length(part)".to_owned(), "abs(fnv1a(part) % 7)".to_owned()]);
    text.push_str("  stage asked = generate(part) on llm\n");
    for (number, (kind, at, k)) in behind.iter().enumerate() {
        let value = pick(&values, *at);
        match kind % 4 {
            0 => text.push_str(&format!("  where {value} % 4 != {}\n", k % 4)),
            1 => text.push_str(&format!("  stage s{number} = 12 / ({value} % 4)\n")),
            2 => text.push_str(&format!("  stage s{number} = length(words(to_string({value})))\n")),
            _ => text.push_str(&format!("  stage s{number} = {value} + {k}\n")),
        }
        if kind % 4 != 0 {
            values.push(format!("s{number}"));
        }
    }
    let texts = ["part", "asked.text", ".title", "\"\""];
    let (value, said) = (pick(&values, last), texts[last % texts.len()]);
    text.push_str(&format!("  emit {{ id: .id, value: {value}, said: {said} }} into rows\n"));
    let schedule = match last % 3 {
        0 => format!(
            "schedule {{ policy: priority, slots: 2, priority: {} }}\n",
            pick(&values[..3], last / 5)
        ),
        _ => String::new(),
    };
    format!(
        "sage 1\n\
         type Doc {{ id: string @key, text: string, title: string }}\n\
         endpoint llm {{ url: \"http://127.0.0.1:9\", model: \"m\" }}\n\
         source docs: Doc from generate(count: 20, text: \"a {{{{ n }}}}|b|c {{{{ n }}}}|b\", title: \"no {{{{ n }}}}\")\n\
         sink rows to jsonl(\"rows.jsonl\")\n\
         flow f {{\n  from docs\n{text}}}\n{schedule}"
    )
}

/// Before and after the rule that leaves columns behind in the source, and which these are; the other
/// rules have done their part, which may be that fewer records fail.
fn leaving(text: &str) -> Option<(Plan, Plan, Vec<String>)> {
    let mut steps = rewrite::steps(&compiled(text).1).into_iter();
    let step = steps.find(|step| step.rule.name == "drop what elements have in common")?;
    let expand = step.after.source().and_then(|source| source.expand.as_ref()).unwrap();
    let names = expand.drops.iter().map(|at| step.after.columns[*at].name.clone()).collect();
    Some((step.before, step.after, names))
}

/// The same lines, where dead letters have no such columns.
fn without(lines: Vec<String>, columns: &[String]) -> Vec<String> {
    let stripped = |line: String| {
        let Some(letter) = line.strip_prefix("dead: ") else { return line };
        let mut letter: serde_json::Value = serde_json::from_str(letter).unwrap();
        let record = letter["record"].as_object_mut().unwrap();
        record.retain(|name, _| !columns.contains(name));
        format!("dead: {letter}")
    };
    let mut lines: Vec<String> = lines.into_iter().map(stripped).collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn elements_that_carry_only_what_is_read_give_the_same_rows(
        before in prop::collection::vec((any::<u8>(), 0..100_usize, 0..12_i64), 0..4),
        list in any::<u8>(),
        behind in prop::collection::vec((any::<u8>(), 0..100_usize, 0..12_i64), 0..5),
        last in 0..100_usize,
    ) {
        let text = elements(&before, list, &behind, last);
        let Some((before, after, columns)) = leaving(&text) else { return Ok(()) };
        let ((rows, calls), (wanted, wanted_calls)) = (outcome(after), outcome(before));
        prop_assert_eq!(calls, wanted_calls, "{}", text);
        prop_assert_eq!(without(rows, &columns), without(wanted, &columns), "{}", text);
    }
}

#[test]
fn an_element_leaves_behind_what_nobody_reads() {
    // A stage that fails for some, so that there are dead letters.
    let text = elements(&[(2, 0, 3), (2, 3, 1), (1, 4, 0)], 0, &[(1, 6, 0)], 8);
    let (before, after, columns) = leaving(&text).unwrap();
    assert!(
        columns.contains(&"text".to_owned()) && columns.contains(&"b0".to_owned()),
        "{columns:?}"
    );
    let (rows, wanted) = (outcome(after).0, outcome(before).0);
    assert!(rows.iter().any(|line| line.starts_with("dead")), "{text}\n{rows:#?}");
    assert!(rows.iter().any(|line| line.starts_with("rows")) && rows != wanted, "{text}");
    assert_eq!(without(rows, &columns), without(wanted, &columns));
}
