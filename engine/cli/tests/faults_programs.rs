//! Faults around the programs of `exec`, on the built binary; the rows of a table in
//! `docs/reliability.md` name these tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::Path;
use std::process::{Child, Stdio};

use support::{Sage, again, ended, send, wait_until, worker, workers_of};

/// A program that leaves its number and that of a process of its own, answers the first of its
/// lines, and is busy for ever with the next one.
const BUSY: &str = r#"
sleep 100000 < /dev/null > /dev/null 2>&1 &
echo $$ $! >> "$1"
read -r line && echo "$line"
read -r line
while true; do :; sleep 0.05; done
"#;

fn program(command: &str, count: u64) -> String {
    format!(
        r#"sage 1
type Row {{ id: string @key, text: string }}
type Out {{ id: string @key, out: string }}
source rows: Row from generate(count: {count}, text: "row {{{{ n }}}}")
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from rows
  stage told = exec("{command}", .text) {{ processes: 2, timeout: 10min }}
  emit Out {{ id: .id, out: told }} into outs
}}
"#
    )
}

fn busy(arguments: &str) -> Sage {
    Sage::new()
        .file("f.sage", program("sh busy.sh numbers", 60))
        .file("busy.sh", BUSY)
        .args("run f.sage --workers 2 --allow-exec --out out")
        .args(arguments)
}

fn start(sage: &Sage) -> Child {
    // What it says goes nowhere, so nobody has to read it.
    sage.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Numbers of all processes that programs have left in the file, the programs and theirs.
fn numbers(folder: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(folder.join("numbers")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Wait for so many programs, each with a process of its own.
fn wait_for(sage: &Sage, programs: usize) -> Vec<u32> {
    wait_until(|| numbers(sage.folder.path()).len() >= 2 * programs);
    numbers(sage.folder.path())
}

fn wait_for_the_end_of(numbers: &[u32]) {
    wait_until(|| numbers.iter().all(|number| ended(*number)));
}

#[test]
fn programs_of_a_killed_worker_end_with_it_and_all_at_a_second_signal() {
    let sage = busy("");
    let mut run = start(&sage);
    let first = wait_for(&sage, 4);
    assert!(first.iter().all(|number| !ended(*number)), "they are busy");
    send("-KILL", worker(run.id(), 1));
    // The other worker is ended and replaced, too.
    wait_for_the_end_of(&first);
    let all = wait_for(&sage, 8);
    send("-TERM", run.id());
    // The second one counts only when the first one was heard.
    let mut second = 0;
    wait_until(|| {
        second += 1;
        send("-TERM", run.id());
        run.try_wait().unwrap().is_some()
    });
    assert_eq!(run.wait().unwrap().code(), Some(130), "{second}");
    wait_for_the_end_of(&all);
    wait_for_the_end_of(&numbers(sage.folder.path()));
}

/// A program that leaves its number and that of a process of its own, and answers each line.
const STEADY: &str = r#"
sleep 100000 < /dev/null > /dev/null 2>&1 &
echo $$ $! >> "$1"
while read -r line; do sleep 0.05; echo "$line"; done
"#;

/// The process beside a worker that ends its programs.
fn guard_of(worker: u32) -> Option<u32> {
    let command = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    workers_of(worker)
        .into_iter()
        .find(|pid| String::from_utf8_lossy(&command(pid)).contains("exec-guard"))
}

#[test]
fn a_guard_that_was_killed_is_replaced_with_the_next_record() {
    let sage = Sage::new()
        .file("f.sage", program("sh steady.sh numbers", 4000))
        .file("steady.sh", STEADY)
        .args("run f.sage --workers 1 --allow-exec --out out");
    let mut run = start(&sage);
    let all = wait_for(&sage, 2);
    let worker = worker(run.id(), 0);
    let guard = guard_of(worker).unwrap();
    send("-KILL", guard);
    wait_until(|| guard_of(worker).is_some_and(|pid| pid != guard));
    // Rows of later records: the new one has been told of the programs.
    let written = || {
        let parts = std::fs::read_dir(sage.folder.path().join("out/parts")).into_iter().flatten();
        parts.flatten().filter_map(|part| part.metadata().ok()).map(|part| part.len()).sum::<u64>()
    };
    let before = written();
    wait_until(|| written() > before);
    [worker, run.id()].into_iter().for_each(|process| send("-KILL", process));
    run.wait().unwrap();
    wait_for_the_end_of(&all);
}

#[test]
fn programs_end_when_a_drain_runs_out() {
    let sage = busy("--drain 100ms");
    let mut run = start(&sage);
    let all = wait_for(&sage, 4);
    send("-TERM", run.id());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    wait_for_the_end_of(&all);
}

#[test]
fn programs_end_with_a_killed_supervisor_also_if_workers_die_in_the_same_moment() {
    let sage = busy("");
    let mut run = start(&sage);
    let first = wait_for(&sage, 4);
    send("-KILL", run.id());
    run.wait().unwrap();
    wait_for_the_end_of(&first);
    let mut run = start(&again(&sage, "run f.sage --workers 2 --allow-exec --out out"));
    let all = wait_for(&sage, 8);
    let workers = workers_of(run.id());
    workers.iter().chain([&run.id()]).for_each(|process| send("-KILL", *process));
    run.wait().unwrap();
    wait_for_the_end_of(&all);
}

#[test]
fn a_program_that_never_answers_ends_the_run_and_loses_no_record() {
    let command = "run f.sage --workers 2 --allow-exec --out out";
    let sage = Sage::new().file("f.sage", program("sh mistyped.sh", 60)).args(command);
    let done = sage.go().exits(2);
    let done = done.says("warning: `sh mistyped.sh` has not answered yet");
    let done = done.says("was started 8 times and has never answered").says("its last words:");
    let metrics = done.metrics();
    assert_eq!((&metrics["tasks_ok"], &metrics["tasks_dead"]), (&0.into(), &0.into()));
    // Mended, it goes on.
    let cat = std::fs::write(sage.folder.path().join("mistyped.sh"), "cat");
    cat.unwrap();
    let done = again(&sage, command).go().exits(0);
    assert_eq!(done.lines("outs.jsonl").len(), 60);
}

#[test]
fn a_command_that_cannot_be_started_is_refused_with_what_is_wrong() {
    for (command, remedy) in [
        ("sh 'unclosed", "a quote is opened and never closed"),
        ("", "it is empty"),
        ("./plain.sh", "`./plain.sh` is not executable; `chmod +x ./plain.sh` makes it so"),
        ("./nothing.sh", "there is no program `./nothing.sh`"),
        (".", "`.` is a folder"),
    ] {
        Sage::new()
            .file("f.sage", program(command, 3))
            .file("plain.sh", "#!/bin/sh\ncat\n")
            .args("run f.sage --workers 1 --allow-exec --out out")
            .go()
            .exits(1)
            .says("stage `told` (line 8)")
            .says(remedy);
    }
}
