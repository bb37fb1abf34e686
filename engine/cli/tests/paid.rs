//! What was paid once is not paid again: the run's journal, the shared cache, and the verb for both.

mod support;

use std::sync::Arc;

use support::{Sage, send, wait_until};

fn program(options: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string, tokens: int }}
endpoint llm {{ url: "sim:a100/qwen2.5-7b@50" }}
source tasks: Task from generate(count: 40, text: "What is {{{{ n }}}}?")
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 16, {options} }}
  emit Out {{ id: .id, answer: a.text, tokens: a.tokens }} into outs
}}"#
    )
}

/// The same folder again.
fn again(first: &Sage, arguments: &str) -> Sage {
    let mut sage = Sage::new();
    sage.folder = Arc::clone(&first.folder);
    let cache = first.folder.path().join("cache").display().to_string();
    sage.args(arguments).env("SAGE_CACHE_DIR", &cache)
}

#[test]
fn a_second_run_into_the_folder_pays_for_nothing_that_was_paid() {
    let first = Sage::new().file("f.sage", program(""));
    let run = "run f.sage --workers 2 --out out";
    let done = again(&first, run).go().exits(0);
    let rows = done.lines("outs.jsonl");
    let metrics = done.metrics();
    assert_eq!((rows.len(), &metrics["cached"]), (40, &0.into()));
    let paid = metrics["completion_tokens"].as_u64().unwrap();
    assert!(paid > 0);

    let done = again(&first, run).go().exits(0).says("its 40 paid answers are used again");
    assert_eq!(done.lines("outs.jsonl"), rows, "tokens and all");
    let metrics = done.metrics();
    assert_eq!((&metrics["cached"], &metrics["completion_tokens"]), (&40.into(), &0.into()));
    assert_eq!(metrics["endpoint_stats"][0]["attempts"], 0);

    // Another seed is another simulated model.
    let done = again(&first, &format!("{run} --seed 1")).go().exits(0);
    assert_eq!(done.metrics()["cached"], 0);

    let info = again(&first, "cache info --dir out/journal --json").go().exits(0);
    let info: serde_json::Value = serde_json::from_str(&info.stdout).unwrap();
    assert_eq!(info["entries"], 80);
    again(&first, "cache clear --dir out/journal").go().exits(1).says("--yes");
    again(&first, "cache clear --dir out/journal --yes").go().exits(0);
    assert_eq!(again(&first, run).go().exits(0).metrics()["cached"], 0);

    let done = again(&first, &format!("{run} --fresh")).go().exits(0);
    assert_eq!(done.metrics()["completion_tokens"], paid);
}

#[test]
fn answers_are_shared_between_runs_only_where_the_program_says_so() {
    let first = Sage::new().file("f.sage", program("cache: content"));
    again(&first, "run f.sage --workers 2 --out one").go().exits(0);
    let done = again(&first, "run f.sage --workers 1 --out out").go().exits(0);
    assert_eq!(done.metrics()["cached"], 40);
    let info = again(&first, "cache info").go().exits(0);
    assert!(info.stdout.contains("answers  40") && info.stdout.contains("simulated"));

    let first = Sage::new().file("f.sage", program("cache: off"));
    again(&first, "run f.sage --workers 1 --out out").go().exits(0);
    let done = again(&first, "run f.sage --workers 1 --out out").go().exits(0);
    assert_eq!(done.metrics()["cached"], 0);
}

#[test]
fn a_killed_run_has_paid_for_its_answers() {
    // In real time an answer takes a third of a second.
    let first = Sage::new().file("f.sage", program("").replace("@50", ""));
    let run = "run f.sage --workers 2 --slots 4 --out out";
    let mut child = again(&first, run).start();
    let tasks = first.folder.path().join("out/tasks.csv");
    let lines = || std::fs::read_to_string(&tasks).map_or(0, |text| text.lines().count());
    wait_until(|| lines() > 8);
    send("-9", child.id());
    child.wait().unwrap();
    // The folder is free when the workers have followed their supervisor.
    let mut done = None;
    wait_until(|| {
        let tried = again(&first, run).go();
        let ended = tried.code == Some(0);
        done = Some(tried);
        ended
    });
    let done = done.unwrap().exits(0);
    assert_eq!(done.lines("outs.jsonl").len(), 40);
    let metrics = done.metrics();
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let (resumed, cached) = (number(&metrics["tasks_resumed"]), number(&metrics["cached"]));
    // What was done is not asked again, and what was answered is not paid again.
    assert!((8..40).contains(&(resumed + cached)), "{resumed} + {cached}");
    assert_eq!(number(&metrics["endpoint_stats"][0]["attempts"]), 40 - resumed - cached);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error_of_ours() {
    let mut child = Sage::new().args("list functions --json").start();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&done.stderr).contains("panicked"));
}
