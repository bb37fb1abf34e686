//! Failures as values: whatever an endpoint or a row does, the run ends and the numbers add up.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Act, Run, Scripted, quoted, with_file};
use sage_core::endpoint::ErrorClass;

fn asks(stage: &str, schedule: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string }}
endpoint llm {{ url: "http://127.0.0.1:1", model: "m" }}
source tasks: Task from generate(count: 120, text: "task {{{{ n }}}}")
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ {stage} }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 4, {schedule} }}"#
    )
}

#[test]
fn answers_reach_their_own_records() {
    for stage in ["", "batch: 7, linger: 5ms", "batch: 64"] {
        for workers in [1, 3] {
            let scripted = Scripted::new(|n, _| (Act::Answer, Duration::from_millis(n * 7 % 5)));
            let sizes = Arc::clone(&scripted.sizes);
            let left = Run::new(&asks(stage, "")).workers(workers).endpoint(scripted).go();
            let mut expected: Vec<String> =
                (1..=120).map(|n| format!(r#"{{"id":"{n}","answer":"echo: task {n}"}}"#)).collect();
            expected.sort();
            assert_eq!(left.lines("outs.jsonl"), expected, "{stage}");
            let sizes = sizes.lock().unwrap();
            assert_eq!(sizes.iter().sum::<usize>(), 120);
            let most = if stage.is_empty() { 1 } else { 64 };
            assert!(sizes.iter().all(|size| *size <= most));
            assert_eq!(left.summary.stages[0].prompt_tokens, 360);
        }
    }
}

#[test]
fn a_worker_keeps_no_more_calls_in_flight_than_it_has_slots() {
    let scripted = Scripted::new(|_, _| (Act::Answer, Duration::from_millis(3)));
    let in_flight = Arc::clone(&scripted.in_flight);
    Run::new(&asks("", "")).workers(2).endpoint(scripted).go();
    let most = in_flight.1.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "{most} calls at once on two workers with four slots");
}

#[test]
fn every_way_to_fail_ends_in_the_dead_letters() {
    for (act, class) in [
        (Act::Fail(ErrorClass::Server), "server"),
        (Act::Fail(ErrorClass::Timeout), "timeout"),
        (Act::Drop, "abandoned"),
        (Act::Short, "protocol"),
    ] {
        let scripted =
            Scripted::new(move |n, _| (if n % 5 == 0 { act } else { Act::Answer }, Duration::ZERO));
        let left = Run::new(&asks("", "")).workers(2).endpoint(scripted).go();
        let counts = left.summary.counts;
        assert_eq!((counts.tasks_ok, counts.tasks_dead), (96, 24), "{class}");
        assert_eq!(left.lines("outs.jsonl").len(), 96);
        let dead = left.dead();
        assert_eq!(dead.len(), 24);
        for letter in dead {
            assert_eq!(letter["class"], class);
            assert_eq!(letter["stage"], "a");
            let (id, text) = (&letter["record"]["id"], &letter["record"]["text"]);
            assert_eq!(text.as_str().unwrap(), format!("task {}", id.as_str().unwrap()));
        }
    }
}

#[test]
fn one_failed_batch_fails_only_its_own_records() {
    let scripted =
        Scripted::new(|n, _| (if n == 0 { Act::Drop } else { Act::Answer }, Duration::ZERO));
    let sizes = Arc::clone(&scripted.sizes);
    let left = Run::new(&asks("batch: 3, linger: 20ms", "")).endpoint(scripted).go();
    let first = sizes.lock().unwrap()[0] as u64;
    assert_eq!(left.summary.counts.tasks_dead, first);
    assert_eq!(left.summary.counts.tasks_ok, 120 - first);
}

#[test]
fn an_expression_that_fails_kills_its_record_only() {
    let program = r#"sage 1
type Task { id: int @key }
type Out { id: int, x: int }
source tasks: Task from generate(count: 20)
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from tasks
  stage x = 100 / (.id % 5)
  emit Out { id: .id, x: x } into outs
}"#;
    let left = Run::new(program).workers(2).go();
    assert_eq!(left.summary.counts.tasks_dead, 4);
    assert_eq!(left.lines("outs.jsonl").len(), 16);
    let dead = left.dead();
    assert!(dead.iter().all(|letter| letter["message"] == "division by zero"));
    assert!(dead.iter().all(|letter| letter["record"]["id"].as_i64().unwrap() % 5 == 0));
}

#[test]
fn a_negative_count_or_time_is_an_error_not_zero() {
    for stage in ["sleep(to_int(.id) * -1ms)", "hash_chain(\"x\", rounds: 0 - .id)"] {
        let program = format!(
            r#"sage 1
type Task {{ id: int @key }}
source tasks: Task from generate(count: 3)
sink outs: Task to jsonl("outs.jsonl")
flow f {{
  from tasks
  stage x = {stage}
  emit Task {{ id: .id }} into outs
}}"#
        );
        let left = Run::new(&program).go();
        assert_eq!(left.summary.counts.tasks_dead, 3);
        assert!(left.dead()[0]["message"].as_str().unwrap().contains("negative"));
    }
}

#[test]
fn bad_rows_become_dead_letters_with_their_place_and_the_run_goes_on() {
    let (_folder, path) = with_file("q.csv", "id,n\na,1\nb,x\nc\n,4\n\"d\"\"q\",5\n\u{feff}e,6\n");
    let program = format!(
        r#"sage 1
type Q {{ id: string @key, n: int }}
source qs: Q from csv({})
sink outs: Q to csv("outs.csv")
flow f {{
  from qs
  emit Q {{ id: .id, n: .n }} into outs
}}"#,
        quoted(&path)
    );
    let left = Run::new(&program).workers(2).go();
    assert_eq!(left.summary.counts.tasks_in, 6);
    assert_eq!(left.summary.counts.tasks_dead, 3);
    let mut dead: Vec<_> = left
        .dead()
        .iter()
        .map(|letter| {
            let place = letter["place"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
            format!("{place}: {}", letter["message"].as_str().unwrap())
        })
        .collect();
    dead.sort();
    assert_eq!(
        dead,
        [
            "3: column `n`: expected a whole number, found `x`",
            "4: the row has 1 columns, the header 2",
            "5: the key `id` is empty",
        ]
    );
    assert_eq!(left.lines("outs.csv").len(), 4);
}

#[test]
fn a_quote_that_is_never_closed_does_not_swallow_the_rest_unseen() {
    let rows = "id,n\n\"a\nb\",1\nc,\"2\nd,3\n";
    let (_folder, path) = with_file("q.csv", rows);
    let program = format!(
        r#"sage 1
type Q {{ id: string @key, n: string }}
source qs: Q from csv({})
sink outs: Q to jsonl("outs.jsonl")
flow f {{
  from qs
  emit Q {{ id: .id, n: .n }} into outs
}}"#,
        quoted(&path)
    );
    let left = Run::new(&program).go();
    assert_eq!(left.lines("outs.jsonl"), [r#"{"id":"a\nb","n":"1"}"#]);
    let dead = left.dead();
    assert!(dead[0]["message"].as_str().unwrap().contains("never closed"), "{dead:?}");
    assert!(dead[0]["place"].as_str().unwrap().ends_with(":4"));
}

#[test]
fn bad_rows_can_be_made_to_end_the_run() {
    let (_folder, path) = with_file("q.csv", "id,n\na,1\nb,x\nc,3\n");
    let program = format!(
        r#"sage 1
type Q {{ id: string @key, n: int }}
source qs: Q from csv({}) {{ bad_rows: fail }}
sink outs: Q to csv("outs.csv")
flow f {{
  from qs
  emit Q {{ id: .id, n: .n }} into outs
}}"#,
        quoted(&path)
    );
    let failure = Run::new(&program).go().failure.unwrap();
    assert!(failure.contains("q.csv:3") && failure.contains("whole number"), "{failure}");
}

#[test]
fn tasks_past_their_deadline_are_late_and_kept() {
    let scripted = Scripted::new(|_, _| (Act::Answer, Duration::from_millis(30)));
    let left = Run::new(&asks("", "deadline: 200ms")).endpoint(scripted).go();
    let counts = left.summary.counts;
    assert!(counts.tasks_late > 0 && counts.tasks_ok > 0, "{counts:?}");
    assert_eq!(counts.tasks_late + counts.tasks_ok, 120);
    let dead = left.dead();
    assert_eq!(dead.len() as u64, counts.tasks_late);
    assert!(dead.iter().all(|letter| letter["class"] == "deadline"));
}

#[test]
fn what_the_deadline_ended_is_late_though_the_answer_comes_before_it() {
    // A gateway says a little before the time of a call is up that it is.
    let gives_up =
        || Scripted::new(|_, _| (Act::Fail(ErrorClass::Timeout), Duration::from_millis(1)));
    let class = |stage: &str, schedule: &str| {
        let left = Run::new(&asks(stage, schedule)).endpoint(gives_up()).go();
        let mut classes: Vec<String> =
            left.dead().iter().map(|dead| dead["class"].as_str().unwrap().to_owned()).collect();
        classes.dedup();
        (classes, left.summary.counts.tasks_dead, left.summary.counts.tasks_late)
    };
    assert_eq!(class("timeout: 600s", "deadline: 300s"), (vec!["deadline".into()], 0, 120));
    assert_eq!(class("timeout: 300s", "deadline: 600s"), (vec!["timeout".into()], 120, 0));
}

#[test]
fn a_graceful_stop_ends_what_is_in_flight_and_leaves_the_rest_pending() {
    let scripted = Scripted::new(|_, _| (Act::Answer, Duration::from_millis(40)));
    let mut run = Run::new(&asks("", "")).workers(2).endpoint(scripted);
    run.stop_after = Some(Duration::from_millis(150));
    let left = run.go();
    let counts = left.summary.counts;
    assert!(counts.tasks_ok > 0 && counts.tasks_pending > 0, "{counts:?}");
    assert_eq!(left.lines("outs.jsonl").len() as u64, counts.tasks_ok);
    assert_eq!(left.given_back, counts.tasks_pending);
}

#[test]
fn independent_calls_run_side_by_side() {
    let program = r#"sage 1
type Task { id: string @key }
type Out { id: string, a: string, b: string }
endpoint llm { url: "http://127.0.0.1:1", model: "m" }
source tasks: Task from generate(count: 3)
sink outs: Out to jsonl("outs.jsonl")
flow f {
  from tasks
  stage a = generate("a" + .id) on llm
  stage b = generate("b" + .id) on llm
  emit Out { id: .id, a: a.text, b: b.text } into outs
}
schedule { policy: fifo, slots: 1 }"#;
    let scripted = Scripted::new(|_, _| (Act::Answer, Duration::from_millis(20)));
    let in_flight = Arc::clone(&scripted.in_flight);
    let left = Run::new(program).endpoint(scripted).go();
    assert_eq!(in_flight.1.load(Ordering::SeqCst), 2);
    assert_eq!(left.lines("outs.jsonl")[0], r#"{"id":"1","a":"echo: a1","b":"echo: b1"}"#);
}
