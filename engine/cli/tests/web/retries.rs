//! What is posted by more than one command: a retry that was broken off goes on with the same rows
//! under the same keys, and an experiment posts nothing.

#![allow(clippy::unwrap_used, reason = "a failure here should stop the test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::stub::{Stub, answer};
use crate::support::{Sage, again, send, wait_until, workers_of};
use serde_json::Value;

const ROWS: u64 = 120;

const PROGRAM: &str = r#"sage 1
param bad: int = 2
type Item { id: int @key, n: int }
source items: Item from csv("items.csv")
sink posted: Item to http_post("URL", batch: 7, patience: 50ms)
flow f {
  from items
  stage nap = sleep(20ms)
  stage x = 100 / (.n - bad)
  emit Item { id: .id, n: x } into posted
}
schedule { policy: fifo, slots: 4 }
"#;

/// Bodies by their key, and rows of all of them.
type Taken = Arc<Mutex<BTreeMap<String, String>>>;

fn ids(taken: &Taken) -> Vec<u64> {
    let taken = taken.lock().unwrap();
    let rows = taken.values().flat_map(|body| serde_json::from_str::<Vec<Value>>(body).unwrap());
    let mut ids: Vec<u64> = rows.map(|row| row["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// A server that takes rows while it is open, and a run whose records all failed.
fn failed() -> (Stub, Taken, Arc<AtomicBool>, Sage) {
    let (taken, open) = (Taken::default(), Arc::new(AtomicBool::new(true)));
    let (there, now) = (Arc::clone(&taken), Arc::clone(&open));
    let stub = Stub::start(move |came, _| {
        if !now.load(Ordering::SeqCst) {
            return answer(503, "");
        }
        let key = came.head["idempotency-key"].clone();
        let mut there = there.lock().unwrap();
        let before = there.entry(key).or_insert_with(|| came.body.clone());
        assert_eq!(*before, came.body);
        answer(200, "")
    });
    let rows = (0..ROWS).map(|id| format!("{id},2\n")).collect::<String>();
    let program = PROGRAM.replace("URL", &format!("http://{}/", stub.address));
    let sage = Sage::new().file("p.sage", program).file("items.csv", "id,n\n".to_owned() + &rows);
    let command = format!("run p.sage --out first --workers 2 --allow-http {}", stub.address);
    again(&sage, &command).go().exits(3);
    (stub, taken, open, sage)
}

/// The same command until it is done, with what it was told to write to, and how it is given.
fn goes_on(out: &str, resumed: impl Fn(&str) -> String) {
    let (stub, taken, open, sage) = failed();
    let command =
        format!("retry first --program p.sage --set bad=1 --allow-http {}{out}", stub.address);
    let mut child = again(&sage, &command).start();
    wait_until(|| taken.lock().unwrap().len() > 3);
    assert!(child.try_wait().unwrap().is_none(), "it was done before");
    for pid in workers_of(child.id()).into_iter().chain([child.id()]) {
        send("-KILL", pid);
    }
    drop(child.wait_with_output());
    let command = resumed(&command);
    open.store(false, Ordering::SeqCst);
    let away = again(&sage, &command).go().exits(2).says("the same command delivers the rest");
    away.says("worked off when the retry failed").says("resuming the run in");
    open.store(true, Ordering::SeqCst);
    let done = again(&sage, &command).go().exits(0);
    done.says("120 of 120 failed records succeeded").says("resuming the run in");
    assert_eq!(ids(&taken), (0..ROWS).collect::<Vec<_>>());
    let first = sage.folder.path().join("first");
    assert!(first.join("retry-1.jsonl").exists() && !first.join("retry-2.jsonl").exists());
}

#[test]
fn a_retry_that_was_broken_off_goes_on_with_the_same_command() {
    goes_on("", str::to_owned);
    goes_on(" --out again", str::to_owned);
}

#[test]
fn a_retry_that_was_broken_off_goes_on_as_a_job() {
    goes_on("", |_| "jobs resume first/retry-1".to_owned());
}

#[test]
fn another_program_or_fresh_begins_a_new_retry() {
    let (stub, taken, _, sage) = failed();
    let command =
        |rest: &str| format!("retry first --program p.sage --allow-http {} {rest}", stub.address);
    let child = again(&sage, &command("--set bad=1 --quiet")).start();
    wait_until(|| taken.lock().unwrap().len() > 3);
    send("-INT", child.id());
    let code = child.wait_with_output().unwrap().status.code();
    assert_eq!(code, Some(130));
    let done = again(&sage, &command("--set bad=3")).go().exits(0);
    done.says("retry-1` was broken off and is of another program");
    let first = sage.folder.path().join("first");
    assert!(first.join("retry-2/metrics.json").exists());
    again(&sage, &command("--set bad=1 --fresh")).go().exits(0).says("120 of 120");
    assert!(first.join("retry-3/metrics.json").exists());
    // Nothing was left over for a folder that was named, either.
    again(&sage, &command("--set bad=3 --out first/retry-1")).go().exits(1).says("another one");
    let names = std::fs::read_dir(&first).unwrap().flatten().map(|entry| entry.file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.starts_with("retry-new") || name == "retry-4.jsonl"));
}

#[test]
fn an_experiment_posts_nothing_and_writes_the_rows_to_files() {
    let stub = Stub::start(|_, _| answer(200, ""));
    let program = PROGRAM.replace("URL", &format!("http://{}/", stub.address))
        + "experiment e {\n  jobs: [f]\n  tasks: 8, nodes: 1\n  sweep slots in [2, 4]\n}\n";
    let rows = (0..8).map(|id| format!("{id},3\n")).collect::<String>();
    let sage = Sage::new().file("e.sage", program).file("items.csv", "id,n\n".to_owned() + &rows);
    let command = "experiment run e.sage --on sim --out out";
    let done = again(&sage, command).go().exits(0);
    done.says("posted (http_post) sends nothing in an experiment");
    assert_eq!(stub.came().len(), 0);
    for run in ["slots-2.f.r0", "slots-4.f.r0"] {
        let summary = sage.folder.path().join("out/runs").join(run).join("f/summary.txt");
        let summary = std::fs::read_to_string(summary).unwrap();
        assert!(summary.contains("8 rows in") && summary.contains("posted.jsonl"), "{summary}");
    }
}
