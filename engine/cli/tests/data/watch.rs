//! A watched folder, on the built binary: what is in it at the end is what groups show, with any
//! number of workers and through any losses, and every version of a document is worked on once.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::Child;

use crate::support::{Sage, again, ended, send, wait_until, worker, workers_of};

const PROGRAM: &str = r#"sage 1
enum Op { insert, update, delete }
type Note { path: string @key, text: string, op: Op }
type Version { path: string, text: string }
type Count { text: string, notes: int }
source notes: Note from dir("notes", watch: 50ms, until_idle: 5s) { changes: "op" }
sink versions: Version to jsonl("versions.jsonl")
sink counts: Count to csv("counts.csv")
flow count_notes {
  from notes
  stage nap = sleep(5ms)
  emit Version { path: .path, text: .text } into versions
  group by .text { notes: count() }
  emit Count { text: .text, notes: .notes } into counts
}
schedule { policy: fifo, slots: 4, morsel: 1 }
"#;

fn sage(arguments: &str) -> Sage {
    let sage = Sage::new().file("f.sage", PROGRAM).args(arguments);
    fs::create_dir(sage.folder.path().join("notes")).unwrap();
    write(&sage, 0..30, "old");
    sage
}

fn write(sage: &Sage, notes: std::ops::Range<usize>, text: &str) {
    for n in notes {
        fs::write(sage.folder.path().join(format!("notes/{n}.txt")), text).unwrap();
    }
}

fn remove(sage: &Sage, notes: std::ops::Range<usize>) {
    notes.for_each(|n| fs::remove_file(sage.folder.path().join(format!("notes/{n}.txt"))).unwrap());
}

/// Wait until so many tasks have ended, as far as the table of tasks tells.
fn wait_for_tasks(folder: &Path, tasks: usize) {
    let table = folder.join("out/tasks.csv");
    let lines = || fs::read_to_string(&table).map_or(0, |text| text.lines().count());
    wait_until(|| lines() > tasks);
}

fn killed(mut supervisor: Child) {
    let workers = workers_of(supervisor.id());
    send("-KILL", supervisor.id());
    supervisor.wait().unwrap();
    wait_until(|| workers.iter().all(|worker| ended(*worker)));
}

/// Of 30 old notes 0..10 become new, then 20..25 go, then 30..34 come. Rows follow the changes.
fn versions() -> Vec<String> {
    let version = |n: usize, text| format!(r#"{{"path":"{n}.txt","text":"{text}"}}"#);
    let mut versions: Vec<String> = (10..20).chain(25..30).map(|n| version(n, "old")).collect();
    versions.extend((0..10).chain(30..34).map(|n| version(n, "new")));
    versions.sort();
    versions
}

const COUNTS: [&str; 3] = ["new,14", "old,15", "text,notes"];

#[test]
fn any_number_of_workers_sees_the_same_changes() {
    for workers in [1, 2, 4] {
        let sage = sage(&format!("run f.sage --workers {workers} --out out"));
        let child = sage.start();
        wait_for_tasks(sage.folder.path(), 30);
        write(&sage, 0..10, "new");
        wait_for_tasks(sage.folder.path(), 40);
        remove(&sage, 20..25);
        wait_for_tasks(sage.folder.path(), 45);
        write(&sage, 30..34, "new");
        let done = sage.done(child.wait_with_output().unwrap()).exits(0);
        assert_eq!(done.lines("versions.jsonl"), versions(), "{workers} workers");
        assert_eq!(done.lines("counts.csv"), COUNTS, "{workers} workers");
        assert_eq!(done.metrics()["tasks_in"], 49);
        assert!(!done.out.join("commit").exists());
    }
}

#[test]
fn a_run_that_is_disturbed_sees_every_change_once() {
    let command = "run f.sage --workers 2 --out out";
    let first = sage(command);
    let child = first.start();
    wait_for_tasks(first.folder.path(), 30);
    // The worker that looks is lost.
    let lost = worker(child.id(), 0);
    send("-KILL", lost);
    wait_until(|| ended(lost));
    write(&first, 0..10, "new");
    wait_for_tasks(first.folder.path(), 40);
    killed(child);
    // While nobody looks.
    remove(&first, 20..25);
    let child = first.start();
    wait_for_tasks(first.folder.path(), 45);
    send("-INT", child.id());
    first.done(child.wait_with_output().unwrap()).exits(130);
    write(&first, 30..34, "new");
    let done = again(&first, command).go().exits(0).says("resuming the run");
    assert_eq!(done.lines("versions.jsonl"), versions());
    assert_eq!(done.lines("counts.csv"), COUNTS);
    assert_eq!(done.metrics()["tasks_in"], 49);
}

#[test]
fn a_document_that_becomes_unreadable_keeps_its_version() {
    for workers in [1, 2] {
        let sage = sage(&format!("run f.sage --workers {workers} --out out"));
        let child = sage.start();
        wait_for_tasks(sage.folder.path(), 30);
        fs::write(sage.folder.path().join("notes/3.txt"), b"\xff").unwrap();
        remove(&sage, 20..25);
        wait_for_tasks(sage.folder.path(), 35);
        let done = sage.done(child.wait_with_output().unwrap()).exits(3);
        assert_eq!(done.lines("counts.csv"), ["old,25", "text,notes"], "{workers} workers");
        let letters = done.lines("dead_letters.jsonl");
        assert!(letters.len() == 1 && letters[0].contains("not UTF-8"), "{letters:?}");
    }
}

#[test]
fn without_a_field_for_changes_nothing_is_started() {
    let program = PROGRAM.replace(" { changes: \"op\" }", "");
    let sage = sage("run f.sage --out out").file("f.sage", program);
    sage.go().exits(1).says("`notes` (line 6)").says("{ changes: \"op\" }");
}
