//! What an operator makes of calls: batches, repairs, streams, identities, and what they cost.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Act, Replying, Run, Scripted, generated, refused, texts};
use proptest::prelude::*;
use sage_core::endpoint::{Answer, CacheMode, CallOutcome, ErrorClass, Lane, Request};
use sage_core::metrics::StageSummary;

fn program(count: usize, stage: &str, endpoint: &str, schedule: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string }}
endpoint llm {{ url: "http://127.0.0.1:1", model: "m", {endpoint} }}
source tasks: Task from generate(count: {count}, text: "task {{{{ n }}}}")
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ {stage} }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 4, {schedule} }}"#
    )
}

fn asks(count: usize, stage: &str) -> String {
    program(count, stage, "", "")
}

const TYPED: &str = r#"sage 1
enum Mood { good, bad }
type Facts { amount: float, words: [string], note: string? }
type Task { id: string @key, text: string }
type Out { id: string, mood: Mood, amount: float, words: int, note: string? }
endpoint llm { url: "http://127.0.0.1:1", model: "m" }
source tasks: Task from generate(count: 30, text: "task {{ n }}")
sink outs: Out to jsonl("outs.jsonl")
prompt mood_of(text: string) -> Mood """mood of {{ text }}?"""
prompt facts_of(text: string) -> Facts """facts of {{ text }}?"""
flow f {
  from tasks
  stage mood = generate(mood_of(.text)) on llm
  stage facts = generate(facts_of(.text)) on llm { OPTIONS }
  emit Out {
    id: .id, mood: mood, amount: facts.amount, words: length(facts.words), note: facts.note
  } into outs
}
schedule { policy: fifo, slots: 4 }"#;

/// Number of the task a prompt asks about.
fn number(prompt: &str) -> u64 {
    let digits = prompt.split("task ").nth(1).expect("a task's prompt");
    digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

fn facts(prompt: &str) -> String {
    let n = number(prompt);
    format!("Here you are:\n```json\n{{\"amount\": {n}.5, \"words\": [\"a\"], \"more\": 1}}\n```")
}

fn mood(prompt: &str) -> String {
    if number(prompt).is_multiple_of(2) { "{\"value\":\"bad\"}".into() } else { "Good.".into() }
}

fn typed(prompt: &str) -> String {
    if prompt.starts_with("mood") { mood(prompt) } else { facts(prompt) }
}

fn typed_rows(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    let row = |n: u64| {
        let mood = if n.is_multiple_of(2) { "bad" } else { "good" };
        format!(r#"{{"id":"{n}","mood":"{mood}","amount":{n}.5,"words":1,"note":null}}"#)
    };
    let mut rows: Vec<String> = numbers.map(row).collect();
    rows.sort();
    rows
}

#[test]
fn typed_answers_become_values_and_the_schema_is_sent() {
    for (options, workers) in [("", 1), ("batch: 8, linger: 5ms", 2)] {
        let endpoint = Replying::new(|_, call| generated(call, typed));
        let seen = Arc::clone(&endpoint.seen);
        let left =
            Run::new(&TYPED.replace("OPTIONS", options)).workers(workers).endpoint(endpoint).go();
        assert_eq!(left.lines("outs.jsonl"), typed_rows(1..=30));
        for call in seen.lock().unwrap().iter() {
            let Request::Generate { options, .. } = &call.request else { panic!("a generation") };
            let schema = options.schema.as_ref().expect("a schema");
            let parsed: serde_json::Value = serde_json::from_str(&schema.json).unwrap();
            assert_eq!(parsed["type"], "object");
            assert_eq!(schema.name, if call.stage == 0 { "mood_of" } else { "facts_of" });
        }
    }
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_with_the_mistake() {
    let endpoint = Replying::new(|_, call| {
        generated(call, |prompt| {
            let broken = number(prompt).is_multiple_of(3) && prompt.starts_with("facts");
            if broken && !prompt.contains("previous answer") {
                return r#"{"amount": "abc", "words": []}"#.into();
            }
            typed(prompt)
        })
    });
    let seen = Arc::clone(&endpoint.seen);
    let left = Run::new(&TYPED.replace("OPTIONS", "")).endpoint(endpoint).go();
    assert_eq!(left.lines("outs.jsonl"), typed_rows(1..=30));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 70, "60 answers and 10 repairs");
    let repairs: Vec<_> =
        seen.iter().filter(|call| texts(call)[0].contains("previous answer")).collect();
    assert_eq!(repairs.len(), 10);
    for call in repairs {
        let prompt = &texts(call)[0];
        let first = format!("facts of task {}?", number(prompt));
        assert!(prompt.starts_with(&first), "{prompt}");
        assert!(prompt.contains("field `amount`: expected float, found \"abc\""), "{prompt}");
        assert!(prompt.ends_with("Answer again with JSON only."));
        // Another question to the journal, and what is left of the time.
        let asked = seen.iter().find(|call| texts(call)[0] == first).unwrap();
        assert_eq!(call.records.len(), 1);
        assert_ne!(call.records, asked.records);
        assert!(call.timeout_ns < asked.timeout_ns);
    }
    // Bad answers were paid for, too.
    assert_eq!(left.summary.stages[1].prompt_tokens, 400);
    assert_eq!(left.summary.stages[1].completion_tokens, 160);
    assert_eq!(left.summary.retries, 0);
}

#[test]
fn what_a_run_asked_in_vain_costs_the_next_one_neither_money_nor_its_tries() {
    type Journal = Mutex<HashMap<(usize, u64, String), String>>;
    let journal: Arc<Journal> = Arc::default();
    for (run, tries_of_7) in [(1, 3), (2, 3), (3, 1)] {
        let kept = Arc::clone(&journal);
        let endpoint = Replying::new(move |_, call| {
            let prompt = texts(call)[0].clone();
            let question = (call.stage, call.records[0], prompt);
            let known = kept.lock().unwrap().get(&question).cloned();
            let mut outcome = generated(call, |prompt| match &known {
                Some(answer) => answer.clone(),
                None if run < 3 && prompt.starts_with("facts of task 7?") => "no idea".into(),
                None => typed(prompt),
            });
            if known.is_some() {
                outcome.attempts = 0;
            } else if let Ok(Answer::Generated(texts)) = &outcome.result {
                kept.lock().unwrap().insert(question, texts[0].text.clone());
            }
            outcome
        });
        let left = Run::new(&TYPED.replace("OPTIONS", "repair: 2")).endpoint(endpoint).go();
        let paid: u64 = left.summary.stages.iter().map(|stage| stage.prompt_tokens / 10).sum();
        let others = if run == 1 { 59 } else { 0 };
        assert_eq!(paid, others + tries_of_7, "run {run}");
        if run < 3 {
            assert_eq!(left.dead()[0]["attempts"], 3, "run {run}");
        } else {
            assert_eq!(left.lines("outs.jsonl"), typed_rows(1..=30));
        }
    }
}

#[test]
fn an_answer_that_never_fits_ends_in_the_dead_letters() {
    for (options, tries) in [("", 2), ("repair: 0", 1), ("repair: 3", 4)] {
        let endpoint = Replying::new(|_, call| {
            generated(call, |prompt| {
                if prompt.starts_with("facts of task 7?") {
                    "no idea".into()
                } else {
                    typed(prompt)
                }
            })
        });
        let left = Run::new(&TYPED.replace("OPTIONS", options)).workers(2).endpoint(endpoint).go();
        assert_eq!(left.lines("outs.jsonl"), typed_rows((1..=30).filter(|n| *n != 7)));
        let dead = left.dead();
        assert_eq!(dead.len(), 1);
        let letter = &dead[0];
        assert_eq!(letter["class"], "invalid_output");
        assert_eq!(letter["stage"], "facts");
        assert_eq!(letter["attempts"], tries);
        assert_eq!(letter["key"], "7");
        assert_eq!(letter["record"], serde_json::json!({"id": "7", "text": "task 7"}));
        let message = letter["message"].as_str().unwrap();
        assert!(message.contains("no JSON value of Facts") && message.contains("no idea"));
        let facts = &left.summary.stages[1];
        assert_eq!((facts.failed, left.summary.stages[0].failed), (1, 0));
    }
}

#[test]
fn one_prompt_that_is_refused_takes_no_other_with_it() {
    for culprits in [vec![], vec![3], vec![1, 17, 18, 40], (1..=40).collect()] {
        let guilty: BTreeSet<u64> = culprits.iter().copied().collect();
        let of = guilty.clone();
        let endpoint = Replying::new(move |_, call| {
            if texts(call).iter().any(|prompt| of.contains(&number(prompt))) {
                return refused(400);
            }
            generated(call, str::to_owned)
        });
        let seen = Arc::clone(&endpoint.seen);
        let program =
            asks(40, "batch: 64, linger: 50ms").replace("slots: 4", "slots: 40, morsel: 1");
        let left = Run::new(&program).endpoint(endpoint).go();
        assert_eq!(left.summary.counts.tasks_dead as usize, guilty.len());
        assert_eq!(left.summary.counts.tasks_ok as usize, 40 - guilty.len());
        let dead: BTreeSet<u64> = left
            .dead()
            .iter()
            .map(|letter| {
                assert_eq!(
                    (&letter["class"], &letter["status"]),
                    (&"rejected".into(), &400.into())
                );
                letter["key"].as_str().unwrap().parse().unwrap()
            })
            .collect();
        assert_eq!(dead, guilty);
        let calls = seen.lock().unwrap().len();
        assert!(calls < 2 * 40, "{calls} calls");
    }
}

#[test]
fn what_is_the_fault_of_all_is_not_taken_apart() {
    for status in [401, 404] {
        let endpoint = Replying::new(move |_, _| refused(status));
        let seen = Arc::clone(&endpoint.seen);
        let left = Run::new(&asks(40, "batch: 4, linger: 1h, timeout: 2h")).endpoint(endpoint).go();
        assert_eq!(left.summary.counts.tasks_dead, 40);
        assert_eq!(seen.lock().unwrap().len(), 10);
        assert_eq!(left.summary.stages[0].failed, 40);
    }
}

#[test]
fn a_batch_does_not_linger_for_company_that_cannot_come() {
    // Four slots and ten fours: were the batches of 64 to linger, this would take hours.
    for endpoint_stage in
        ["batch: 64, linger: 1h, timeout: 2h", "batch: 64, linger: 1h, timeout: 3h"]
    {
        let scripted = Scripted::new(|n, _| (Act::Answer, Duration::from_millis(n % 3)));
        let sizes = Arc::clone(&scripted.sizes);
        let left = Run::new(&asks(40, endpoint_stage)).endpoint(scripted).go();
        assert_eq!(left.summary.counts.tasks_ok, 40);
        assert_eq!(*sizes.lock().unwrap(), vec![4; 10]);
    }
}

#[test]
fn a_second_stage_does_not_linger_either() {
    let program = asks(16, "batch: 64, linger: 1h, timeout: 2h").replace(
        "  emit",
        "  stage b = generate(\"again \" + a.text) on llm { batch: 64, linger: 1h, timeout: 2h }\n  emit",
    );
    let scripted = Scripted::echo();
    let sizes = Arc::clone(&scripted.sizes);
    let left = Run::new(&program).endpoint(scripted).go();
    assert_eq!(left.summary.counts.tasks_ok, 16);
    assert_eq!(sizes.lock().unwrap().iter().sum::<usize>(), 32);
}

#[test]
fn a_batch_keeps_to_its_token_budget() {
    // "task n" is two tokens.
    let scripted = Scripted::echo();
    let sizes = Arc::clone(&scripted.sizes);
    let left = Run::new(&asks(40, "batch: 64, linger: 5ms, batch_tokens: 5 tokens"))
        .endpoint(scripted)
        .go();
    assert_eq!(left.summary.counts.tasks_ok, 40);
    assert!(sizes.lock().unwrap().iter().all(|size| *size <= 2), "{sizes:?}");
}

#[test]
fn options_reach_the_call() {
    let endpoint = Replying::new(|_, call| generated(call, str::to_owned));
    let seen = Arc::clone(&endpoint.seen);
    let options = "stop: [\"END\", \"\\n\"], lane: control, cache: content, seed: 3, timeout: 9s";
    Run::new(&asks(3, options)).endpoint(endpoint).go();
    for call in seen.lock().unwrap().iter() {
        assert_eq!((call.lane, call.cache), (Lane::Control, CacheMode::Content));
        assert!(call.timeout_ns <= 9_000_000_000 && call.timeout_ns > 0);
        let Request::Generate { options, .. } = &call.request else { panic!("a generation") };
        assert_eq!(options.stop, ["END", "\n"]);
        assert_eq!((options.seed, options.stream, options.chat), (Some(3), false, true));
        assert!(options.schema.is_none());
    }
}

#[test]
fn options_that_cannot_be_meant_are_refused_before_the_run() {
    for (options, word) in [
        ("stream: true, batch: 2", "batch: 1"),
        ("linger: 2s, timeout: 1s", "shorter than `timeout`"),
        ("stop: [1, 2]", "a list of such"),
        ("stop: \"\"", "not empty"),
        ("batch_tokens: 0 tokens", "`batch_tokens: 0`"),
    ] {
        let plan = common::plan(&asks(1, options));
        let error = sage_dataflow::stages::probe(&plan).expect_err(options).to_string();
        assert!(error.contains(word) && error.contains("stage `a`"), "{options}: {error}");
    }
    sage_dataflow::stages::probe(&common::plan(&asks(1, "stop: \"x\", stream: true"))).unwrap();
}

#[test]
fn the_time_to_the_first_token_is_measured_of_streams() {
    let endpoint = Replying::new(|n, call| {
        let outcome = generated(call, str::to_owned);
        CallOutcome { first_token_ns: Some((n + 1) * 1_000_000), ..outcome }
    });
    let seen = Arc::clone(&endpoint.seen);
    let left = Run::new(&asks(100, "stream: true")).workers(2).endpoint(endpoint).go();
    let StageSummary { ttft_p50_ms, ttft_p95_ms, ttft_p99_ms, .. } = left.summary.stages[0];
    for (found, expected) in [(ttft_p50_ms, 50.0), (ttft_p95_ms, 95.0), (ttft_p99_ms, 99.0)] {
        let found = found.expect("a stream has a first token");
        assert!((found - expected).abs() <= 0.1, "{found} is not {expected}");
    }
    // The tasks have what the figures are made of.
    let tasks = left.read("tasks.csv");
    let first = tasks.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
    let mut first: Vec<f64> = first.map(|cell| cell.parse().unwrap()).collect();
    first.sort_by(f64::total_cmp);
    assert_eq!(first, (1..=100).map(f64::from).collect::<Vec<_>>());
    for call in seen.lock().unwrap().iter() {
        assert!(matches!(&call.request, Request::Generate { options, .. } if options.stream));
    }
    let plain = Run::new(&asks(4, "")).go();
    assert_eq!(plain.summary.stages[0].ttft_p50_ms, None);
}

/// Identities by text, over all calls.
fn identities(
    endpoint: &Arc<std::sync::Mutex<Vec<sage_core::endpoint::Call>>>,
) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for call in endpoint.lock().expect("no call panicked").iter() {
        assert_eq!(call.records.len(), texts(call).len());
        for (text, record) in texts(call).iter().zip(&call.records) {
            let before = found.insert(format!("{} {text}", call.stage), *record);
            assert!(before.is_none_or(|before| before == *record), "{text}");
        }
    }
    found
}

#[test]
fn a_record_is_the_same_on_any_number_of_workers_and_in_every_run() {
    let keyed = asks(60, "batch: BATCH, linger: 3ms");
    let unkeyed = keyed.replace("@key", "");
    let numbered = keyed
        .replace("id: string @key, text", "id: int @key, text")
        .replace("Out { id: .id, answer", "Out { id: to_string(.id), answer");
    for program in [keyed, unkeyed, numbered] {
        let mut all = BTreeSet::new();
        for (workers, batch) in [(1, 1), (1, 16), (2, 4), (4, 7), (4, 7)] {
            let endpoint = Replying::new(|_, call| generated(call, str::to_owned));
            let seen = Arc::clone(&endpoint.seen);
            let program = program.replace("BATCH", &batch.to_string());
            Run::new(&program).workers(workers).endpoint(endpoint).go();
            let found = identities(&seen);
            assert_eq!(found.values().collect::<BTreeSet<_>>().len(), 60, "each its own");
            all.insert(found);
        }
        assert_eq!(all.len(), 1, "the same in all runs");
    }
}

#[test]
fn a_record_of_a_further_round_is_another_one() {
    for key in ["string", "int"] {
        let program = asks(5, "")
            .replace("id: string @key, text", &format!("id: {key} @key, text"))
            .replace("Out { id: .id, answer", "Out { id: to_string(.id), answer");
        let endpoint = Replying::new(|_, call| generated(call, str::to_owned));
        let seen = Arc::clone(&endpoint.seen);
        let mut run = Run::new(&program).workers(2).endpoint(endpoint);
        run.tasks = Some(20);
        run.go();
        let seen = seen.lock().unwrap();
        let records: BTreeSet<u64> = seen.iter().flat_map(|call| call.records.clone()).collect();
        assert_eq!(records.len(), 20, "{key}");
    }
}

#[test]
fn time_spent_waiting_shortens_the_call() {
    // Two of five tasks never fill a batch of five: they leave when they have lingered.
    let endpoint = Replying::new(|_, call| generated(call, str::to_owned));
    let seen = Arc::clone(&endpoint.seen);
    let program = asks(2, "batch: 5, linger: 200ms, timeout: 1s");
    Run::new(&program).endpoint(endpoint).go();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|call| call.records.len()).sum::<usize>(), 2);
    assert!(seen.iter().all(|call| call.timeout_ns <= 800_000_000), "{seen:?}");
}

#[test]
fn the_schedules_deadline_bounds_the_call_and_kills_what_it_leaves_no_time() {
    let program = program(40, "timeout: 60s", "", "deadline: 1s").replace(
        "  emit",
        "  stage pause = sleep(to_int(.id) * 50ms)\n  \
         stage b = generate(to_string(pause) + a.text) on llm\n  emit",
    );
    let endpoint = Replying::new(|_, call| generated(call, str::to_owned));
    let seen = Arc::clone(&endpoint.seen);
    let left = Run::new(&program.replace("slots: 4", "slots: 40")).endpoint(endpoint).go();
    assert!(seen.lock().unwrap().iter().all(|call| call.timeout_ns <= 1_000_000_000));
    let counts = left.summary.counts;
    assert!(counts.tasks_late >= 20, "from 1 s on there is no time left: {counts:?}");
    assert_eq!(counts.tasks_late + counts.tasks_ok, 40);
    let dead = left.dead();
    assert!(dead.iter().any(|letter| letter["stage"] == "b"));
    for letter in dead {
        assert_eq!((&letter["class"], &letter["attempts"]), (&"deadline".into(), &0.into()));
    }
}

#[test]
fn cost_and_tokens_are_those_of_tasks_csv_and_cached_answers_are_free() {
    let endpoint = Replying::new(|n, call| {
        let mut outcome = generated(call, str::to_owned);
        if let Ok(sage_core::endpoint::Answer::Generated(texts)) = &mut outcome.result {
            texts.iter_mut().for_each(|text| text.cached = n % 4 == 0);
        }
        if n % 4 == 0 {
            outcome.attempts = 0;
        }
        outcome
    });
    let program = program(80, "", "price: { input: 2/Mtok, output: 6.5/Mtok }", "");
    let left = Run::new(&program).workers(2).endpoint(endpoint).go();
    let tasks = left.read("tasks.csv");
    let mut lines = tasks.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let last = ["prompt_tokens", "completion_tokens", "cost", "first_token_ms"];
    assert_eq!(head[head.len() - 4..], last);
    let (mut prompt, mut completion, mut cost) = (0_u64, 0_u64, 0.0);
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), head.len());
        let [p, c, money, ""] = cells[cells.len() - 4..] else { panic!("four cells") };
        let (p, c): (u64, u64) = (p.parse().unwrap(), c.parse().unwrap());
        let naive = (p as f64 * 2.0 + c as f64 * 6.5) / 1e6;
        assert!((money.parse::<f64>().unwrap() - naive).abs() < 1e-15, "{line}");
        (prompt, completion, cost) = (prompt + p, completion + c, cost + naive);
    }
    let summary = &left.summary;
    assert_eq!((prompt, completion), (600, 240));
    assert_eq!((summary.prompt_tokens, summary.completion_tokens), (prompt, completion));
    assert!((summary.cost.unwrap() - cost).abs() < 1e-12);
    assert_eq!((summary.cached, summary.stages[0].cached), (20, 20));
    assert_eq!(summary.stages[0].cost, summary.cost);
}

#[test]
fn failures_are_counted_where_they_happen() {
    let program = asks(20, "").replace("  emit", "  stage x = 10 / (to_int(.id) % 5)\n  emit");
    let scripted = Scripted::new(|_, call| {
        let kill = number(&texts(call)[0]) == 3;
        (if kill { Act::Fail(ErrorClass::Server) } else { Act::Answer }, Duration::ZERO)
    });
    let left = Run::new(&program).workers(2).endpoint(scripted).go();
    let failed: Vec<u64> = left.summary.stages.iter().map(|stage| stage.failed).collect();
    assert_eq!(failed, [1, 4]);
    assert_eq!(left.summary.counts.tasks_dead, 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is refused or does not fit, every record ends once and none takes another with it.
    #[test]
    fn every_record_ends_once_whatever_the_answers(
        seed: u64, batch in 1_usize..9, slots in 1_usize..9, repair in 0_usize..3,
    ) {
        let bad = move |n: u64| (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61;
        let endpoint = Replying::new(move |_, call| {
            if texts(call).iter().any(|prompt| bad(number(prompt)) == 0) {
                return refused(422);
            }
            generated(call, |prompt| {
                let lost = bad(number(prompt)) == 1 && prompt.starts_with("facts");
                if lost { "{\"amount\": []}".into() } else { typed(prompt) }
            })
        });
        let options = format!("batch: {batch}, linger: 2ms, repair: {repair}");
        let program = TYPED.replace("OPTIONS", &options).replace("slots: 4", &format!("slots: {slots}"));
        let left = Run::new(&program).workers(2).endpoint(endpoint).go();
        prop_assert_eq!(left.lines("outs.jsonl"), typed_rows((1..=30).filter(|n| bad(*n) > 1)));
        let dead: BTreeSet<String> =
            left.dead().iter().map(|letter| letter["key"].as_str().unwrap().to_owned()).collect();
        let expected: BTreeSet<String> =
            (1..=30).filter(|n| bad(*n) <= 1).map(|n: u64| n.to_string()).collect();
        prop_assert_eq!(dead, expected);
    }
}
