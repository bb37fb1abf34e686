//! Faults of what a run depends on, on the built binary: its endpoint, a gateway before it, the disk;
//! the rows of the table in `docs/reliability.md` name these tests.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests; they tell figures")]

#[path = "support/relay.rs"]
mod relay;
#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use relay::Relay;
use server::{MODEL, Server};
use support::{Done, Sage, again, ended, send, wait_until, worker, workers_of};

fn program(url: &str, endpoint: &str, stage: &str, tasks: u64) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string @key, answer: string }}
endpoint llm {{ url: "{url}", model: "{MODEL}", {endpoint} }}
source tasks: Task from generate(count: {tasks}, text: "What is {{{{ n }}}}?")
sink outs: Out to csv("outs.csv")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 8, {stage} }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 4 }}"#
    )
}

/// Each record has one row.
#[track_caller]
fn all_rows(done: &Done, tasks: u64) {
    let mut rows = done.lines("outs.csv");
    rows.dedup();
    assert_eq!(rows.len() as u64, 1 + tasks, "{}", done.stderr);
    assert_eq!(done.metrics()["tasks_ok"], tasks);
}

fn asking(fault: &str, endpoint: &str, stage: &str, tasks: u64) -> Done {
    let server = Server::simulator(&format!("--speed 20 --fault {fault}"));
    let sage = Sage::new().file("f.sage", program(&server.url(), endpoint, stage, tasks));
    sage.args("run f.sage --workers 2 --out out").go()
}

#[test]
fn an_endpoint_that_fails_now_and_then_costs_time_and_no_records() {
    let retry = "retry: backoff(max: 9, base: 5ms, cap: 50ms, budget: 100%)";
    for fault in [
        "status_500=20%",
        "status_503=20%,retry_after=none",
        "bad_json=20%",
        "truncated=20%",
        "reset=20%",
        "drop=20%",
    ] {
        let done = asking(fault, retry, "timeout: 2min", 60).exits(0);
        all_rows(&done, 60);
        let stats = &done.metrics()["endpoint_stats"][0];
        let again = stats["retries"].as_u64().unwrap() + stats["shed"].as_u64().unwrap();
        assert!(again > 0, "{fault}: {stats}");
    }
    all_rows(&asking("latency=2s:30%", "concurrency: 8", "timeout: 2min", 60).exits(0), 60);
}

#[test]
fn an_endpoint_that_always_fails_leaves_dead_letters_with_the_reason() {
    let retry = "retry: backoff(max: 1, base: 5ms, budget: 100%)";
    for (fault, classes) in [
        ("status_500=100%", &["server"][..]),
        ("bad_json=100%", &["protocol"]),
        ("truncated=100%", &["server"]),
        ("reset=100%", &["server"]),
        ("drop=100%", &["server"]),
        ("stall=100%", &["timeout"]),
    ] {
        let done = asking(fault, retry, "timeout: 2s", 8).exits(3);
        assert_eq!(done.metrics()["tasks_dead"], 8, "{fault}");
        let letters = done.lines("dead_letters.jsonl");
        let class = |letter: &String| {
            let letter: serde_json::Value = serde_json::from_str(letter).unwrap();
            assert!(!letter["message"].as_str().unwrap().is_empty());
            letter["class"].as_str().unwrap().to_owned()
        };
        let found: BTreeSet<String> = letters.iter().map(class).collect();
        assert_eq!(letters.len(), 8);
        println!("{fault}: {found:?}");
        assert!(found.iter().all(|class| classes.contains(&class.as_str())), "{fault}: {found:?}");
    }
}

#[test]
fn an_endpoint_that_is_killed_costs_its_absence() {
    let mut server = Server::simulator("--speed 10");
    let relay = Relay::to(server.address);
    let sage = Sage::new().file("f.sage", program(&relay.url, "concurrency: 8", "", 300));
    let sage = sage.args("run f.sage --workers 2 --out out");
    let child = sage.start();
    wait_until(|| relay.paid() > 60);
    server.kill();
    wait_until(|| relay.open() == 0);
    server.again();
    let done = sage.done(child.wait_with_output().unwrap()).exits(0);
    all_rows(&done, 300);
    assert_eq!((relay.questions(), relay.paid_again()), (300, 0));
}

/// Someone else's gateway in front of the server is to a run just a server.
#[test]
fn a_gateway_in_front_that_is_killed_costs_its_absence() {
    let server = Server::simulator("--speed 10");
    let relay = Relay::to(server.address);
    let mut gateway = Server::start(&format!("gateway --upstream {} --model {MODEL}", relay.url));
    let sage = Sage::new().file("f.sage", program(&gateway.url(), "concurrency: 8", "", 300));
    let sage = sage.args("run f.sage --workers 2 --out out");
    let child = sage.start();
    wait_until(|| relay.paid() > 60);
    gateway.kill();
    wait_until(|| relay.open() == 0);
    gateway.again();
    let done = sage.done(child.wait_with_output().unwrap()).exits(0);
    all_rows(&done, 300);
    // What it had in flight is lost with it, and asked again.
    assert_eq!(relay.questions(), 300);
    assert!(relay.paid_again() <= 8, "{}", relay.paid_again());
}

/// The gateway goes with the supervisor. Workers that come to see the one before the other must not
/// take the calls that break for calls that failed.
#[test]
fn calls_that_break_with_the_supervisor_are_no_failed_records() {
    let server = Server::simulator("--speed 2");
    let relay = Relay::to(server.address);
    let text = program(&relay.url, "concurrency: 64", "", 300).replace("slots: 4", "slots: 24");
    let (first, command) = (Sage::new().file("f.sage", text), "run f.sage --workers 2 --out out");
    for answers in [20, 60, 100] {
        let mut child = again(&first, command).start();
        wait_until(|| relay.questions() > answers && relay.open() > 16);
        let workers = workers_of(child.id());
        workers.iter().for_each(|worker| send("-STOP", *worker));
        send("-KILL", child.id());
        child.wait().unwrap();
        workers.iter().for_each(|worker| send("-CONT", *worker));
        wait_until(|| workers.iter().all(|worker| ended(*worker)));
    }
    let done = again(&first, command).go().exits(0).says("resuming the run in out");
    all_rows(&done, 300);
}

#[test]
fn a_worker_that_is_slowed_down_is_waited_for() {
    let server = Server::simulator("--speed 10");
    let sage = Sage::new().file("f.sage", program(&server.url(), "concurrency: 8", "", 200));
    let sage = sage.args("run f.sage --workers 2 --out out");
    let child = sage.start();
    let victim = worker(child.id(), 1);
    for _ in 0..8 {
        send("-STOP", victim);
        std::thread::sleep(std::time::Duration::from_millis(150));
        send("-CONT", victim);
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    let done = sage.done(child.wait_with_output().unwrap()).exits(0);
    all_rows(&done, 200);
    assert_eq!(done.metrics()["restarts"], 0);
}

/// A small disk of its own at `out` in the folder of a test; gone when dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(folder: &Path, options: &str) -> Option<Self> {
        let path = folder.join("out");
        std::fs::create_dir(&path).unwrap();
        let disk = Disk(path);
        disk.mounted(options).then_some(disk)
    }

    fn mounted(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: mounting a small disk needs root");
        }
        mounted
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_ends_the_run_and_the_same_command_goes_on_when_there_is_room() {
    let server = Server::simulator("--speed 20");
    let relay = Relay::to(server.address);
    let text = program(&relay.url, "concurrency: 8", "", 2000);
    let (first, command) = (Sage::new().file("f.sage", text), "run f.sage --workers 2 --out out");
    let Some(disk) = Disk::mount(first.folder.path(), "size=600k") else { return };
    let done = again(&first, command).go().exits(2).says("No space left on device");
    assert!(done.stderr.contains("out/"), "{}", done.stderr);
    // Still full: it ends again, at whatever point it finds out.
    for _ in 0..3 {
        let code = again(&first, command).go().says("No space left on device").code;
        assert!(matches!(code, Some(1 | 2)), "{code:?}");
    }
    assert!(disk.mounted("remount,size=64m"));
    let done = again(&first, command).go().exits(0);
    all_rows(&done, 2000);
    println!("{} of {} answers were paid again", relay.paid_again(), relay.paid());
}

#[test]
fn an_output_folder_that_is_removed_or_moved_ends_the_run_soon_and_clearly() {
    let sage = Sage::new().file("s.sage", support::SLEEPY);
    let sage = sage.args("run s.sage --workers 2 --out out");
    let folder = sage.folder.path().to_owned();
    let under_way = || {
        let parts = || std::fs::read_dir(folder.join("out/parts")).into_iter().flatten().flatten();
        wait_until(|| parts().any(|part| part.metadata().is_ok_and(|found| found.len() > 0)));
    };
    let child = sage.start();
    under_way();
    std::fs::rename(folder.join("out"), folder.join("moved")).unwrap();
    let done = sage.done(child.wait_with_output().unwrap()).exits(2);
    let done = done.says("`out` was removed or moved while the run was going");
    let done = done.says("the same command with --out NEW_PLACE goes on");
    assert!(!done.out.exists(), "something was written in its place");
    let child = sage.start();
    under_way();
    std::fs::remove_dir_all(folder.join("out")).unwrap();
    let done = sage.done(child.wait_with_output().unwrap()).exits(2);
    let done = done.says("`out` was removed or moved while the run was going");
    assert!(!done.out.exists(), "something was written in its place");
    // Both ways that were named lead on.
    let moved = again(&sage, "run s.sage --workers 2 --out moved").go().exits(0);
    assert!(moved.stderr.contains("resuming the run in moved"), "{}", moved.stderr);
    let anew = again(&sage, "run s.sage --workers 2 --out out").go().exits(0);
    for out in ["moved", "out"] {
        let rows = std::fs::read_to_string(folder.join(out).join("outs.jsonl")).unwrap();
        assert_eq!(rows.lines().collect::<BTreeSet<_>>().len(), 2000, "{out}");
        assert_eq!(rows.lines().count(), 2000, "{out}");
    }
    drop(anew);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_starts() {
    let server = Server::simulator("--speed 20");
    let relay = Relay::to(server.address);
    let text = program(&relay.url, "concurrency: 8", "", 20);
    let (first, command) = (Sage::new().file("f.sage", text), "run f.sage --workers 2 --out out");
    let Some(disk) = Disk::mount(first.folder.path(), "ro") else { return };
    let done = again(&first, command).go().exits(1).says("--out out").says("Read-only file system");
    assert_eq!(relay.paid(), 0, "{}", done.stderr);
    assert!(disk.mounted("remount,rw"));
    all_rows(&again(&first, command).go().exits(0), 20);
}
