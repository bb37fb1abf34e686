//! Memory: a source of a million records in front of a model server that never answers, and no
//! process of the run grows.
//!
//! `cargo test -p sage-flow --test bounds -- --ignored` watches for a minute each.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests; they tell figures")]

#[path = "support/server.rs"]
mod server;
mod support;

use std::fmt::Write;
use std::process::Child;
use std::time::{Duration, Instant};

use server::{MODEL, Server};
use support::{Done, Sage, ended, send, wait_until, worker, workers_of};

const RECORDS: u64 = 1_000_000;
/// Rows of the file that are none.
const BAD: [u64; 4] = [3, 40, 41, 900_000];

/// A program whose calls are never answered.
fn program(source: &str, url: &str) -> String {
    format!(
        r#"sage 1
type Task {{ id: string @key, text: string }}
type Out {{ id: string, answer: string }}
endpoint llm {{ url: "{url}", model: "{MODEL}", concurrency: 8 }}
source tasks: Task from {source}
sink outs: Out to jsonl("outs.jsonl")
flow f {{
  from tasks
  stage a = generate(.text) on llm {{ max_tokens: 16, timeout: 1h }}
  emit Out {{ id: .id, answer: a.text }} into outs
}}
schedule {{ policy: fifo, slots: 4 }}"#
    )
}

fn generated() -> String {
    format!(r#"generate(count: {RECORDS}, text: "What is {{{{ n }}}}?")"#)
}

/// Most records that may be read and not be done: those of the central queue, which has room for ten
/// thousand unless the program says otherwise, and of the windows and what is between.
const READ: u64 = 10_000 + 400;
/// Most of the file that is read for it.
const READ_BYTES: u64 = 1 << 20;
/// Growth within one window that is none, MiB.
const FLAT: f64 = 1.0;

fn rss_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0)
        / 1024.0
}

/// A window in which no process grows is a proof, since a source that is read on fills tens of MiB a
/// second; the first ones may be those in which the run starts, so some are allowed to fail.
fn hold_still(pids: &[u32], window: Duration, windows: usize) {
    let mut told = String::new();
    let mut flat = 0;
    for _ in 0..windows + 20 {
        let before: Vec<f64> = pids.iter().map(|pid| rss_mib(*pid)).collect();
        std::thread::sleep(window);
        let after: Vec<f64> = pids.iter().map(|pid| rss_mib(*pid)).collect();
        assert!(after.iter().all(|rss| *rss > 0.0), "a process is gone");
        writeln!(told, "{before:.1?} -> {after:.1?}").unwrap();
        let grown = before.iter().zip(&after).any(|(before, after)| after - before > FLAT);
        flat = if grown { 0 } else { flat + 1 };
        if flat == windows {
            println!("{told}");
            return;
        }
    }
    panic!("memory grows, MiB of {pids:?}:\n{told}");
}

/// How far a process has read a file.
fn position(pid: u32, name: &str) -> Option<u64> {
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|to| to.ends_with(name)) {
            let number = entry.file_name().into_string().unwrap();
            let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
            return info.lines().find_map(|line| line.strip_prefix("pos:"))?.trim().parse().ok();
        }
    }
    None
}

/// Hold a run against the wall; then Ctrl-C ends it.
fn hold(sage: &Sage, workers: usize, window: Duration, windows: usize) -> Done {
    let child: Child = sage.start();
    let mut pids = Vec::new();
    wait_until(|| {
        pids = workers_of(child.id());
        pids.len() == workers
    });
    let first = worker(child.id(), 0);
    pids.push(child.id());
    hold_still(&pids, window, windows);
    let whole = std::fs::metadata(sage.folder.path().join("tasks.csv"));
    if let Ok(whole) = whole {
        let at = position(first, "tasks.csv").expect("the source is open");
        assert!(at < READ_BYTES.min(whole.len() / 4), "{at} bytes were read");
    }
    let asked = Instant::now();
    send("-INT", child.id());
    let done = sage.done(child.wait_with_output().unwrap()).exits(130);
    assert!(asked.elapsed() < Duration::from_secs(30), "--drain 1s took {:?}", asked.elapsed());
    wait_until(|| pids.iter().all(|pid| ended(*pid)));

    let metrics = done.metrics();
    let number = |name: &str| metrics[name].as_u64().unwrap();
    let outcomes = ["tasks_ok", "tasks_dead", "tasks_late", "tasks_pending"].map(number);
    assert_eq!(number("tasks_in"), outcomes.iter().sum::<u64>(), "{metrics}");
    assert!(outcomes[0] == 0 && number("tasks_in") > 4 && number("tasks_in") < READ, "{metrics}");

    // Each process is in the report, with what was seen from outside.
    let processes = metrics["processes"].as_array().unwrap();
    let mut reported: Vec<u64> = Vec::new();
    for process in processes {
        let mib = |name: &str| process[name].as_f64().unwrap();
        assert!(
            mib("rss_end_mb") > 1.0 && mib("rss_peak_mb") + 0.5 > mib("rss_end_mb"),
            "{process}"
        );
        reported.push(process["pid"].as_u64().unwrap());
    }
    let mut seen: Vec<u64> = pids.iter().map(|pid| u64::from(*pid)).collect();
    seen.sort_unstable();
    reported.sort_unstable();
    assert_eq!(reported, seen);
    assert_eq!(processes[0]["process"], "supervisor");
    assert_eq!(processes[0]["hosts"], serde_json::json!(["gateway"]));
    assert!(done.stderr.contains("memory      MiB, peak -> at the end: supervisor with gateway"));
    done
}

fn csv() -> String {
    let mut text = String::from("id,text\n");
    for id in 0..RECORDS {
        if BAD.contains(&id) {
            text.push_str("half a row\n");
        } else {
            writeln!(text, "{id},What is {id}?").unwrap();
        }
    }
    text
}

/// A run against a server that takes calls and never answers.
fn stalled(source: &str, arguments: &str) -> (Server, Sage) {
    let server = Server::simulator("--fault stall=100%");
    let sage = Sage::new().file("f.sage", program(source, &server.url()));
    (server, sage.args(&format!("run f.sage --out out --drain 1s {arguments}")))
}

const SHORT: (Duration, usize) = (Duration::from_millis(400), 3);
const LONG: (Duration, usize) = (Duration::from_secs(10), 6);

fn generated_records(workers: usize, (window, windows): (Duration, usize)) {
    let (_server, sage) = stalled(&generated(), &format!("--workers {workers}"));
    hold(&sage, workers, window, windows);
}

fn records_of_a_file(workers: usize, (window, windows): (Duration, usize)) {
    let (_server, sage) = stalled(r#"csv("tasks.csv")"#, &format!("--workers {workers}"));
    let done = hold(&sage.file("tasks.csv", csv()), workers, window, windows);
    // Those that were met.
    assert_eq!(done.metrics()["tasks_dead"], 3);
    assert_eq!(done.lines("dead_letters.jsonl").len(), 3);
}

fn arrivals_that_are_faster(workers: usize, (window, windows): (Duration, usize)) {
    let arguments = format!("--workers {workers} --rate 100000/s");
    let (_server, sage) = stalled(&generated(), &arguments);
    hold(&sage, workers, window, windows);
}

#[test]
fn generated_records_wait_outside_of_the_memory() {
    generated_records(2, SHORT);
}

#[test]
fn records_of_a_file_wait_in_the_file() {
    records_of_a_file(3, SHORT);
}

#[test]
fn records_that_arrive_faster_than_they_are_answered_wait_outside_of_the_memory() {
    arrivals_that_are_faster(2, SHORT);
}

#[test]
#[ignore = "takes some minutes"]
fn for_a_minute() {
    generated_records(4, LONG);
    records_of_a_file(4, LONG);
    arrivals_that_are_faster(4, LONG);
}

#[test]
fn workers_that_were_lost_are_in_the_report_of_memory() {
    let (_server, sage) = stalled(&generated(), "--workers 2");
    let child = sage.start();
    let mut pids = vec![worker(child.id(), 0), worker(child.id(), 1)];
    // What it holds is said when it has joined.
    wait_until(|| workers_of(child.id()).iter().all(|pid| rss_mib(*pid) > 5.0));
    std::thread::sleep(Duration::from_millis(1500));
    send("-KILL", pids[1]);
    wait_until(|| workers_of(child.id()).iter().filter(|pid| !pids.contains(pid)).count() == 2);
    let mut new = workers_of(child.id());
    new.retain(|pid| !pids.contains(pid));
    pids.extend(new);
    std::thread::sleep(Duration::from_millis(1500));
    send("-TERM", child.id());
    let supervisor = child.id();
    let done = sage.done(child.wait_with_output().unwrap()).exits(130);
    pids.push(supervisor);
    let metrics = done.metrics();
    let processes = metrics["processes"].as_array().unwrap();
    let mut reported: Vec<u32> =
        processes.iter().map(|process| process["pid"].as_u64().unwrap() as u32).collect();
    reported.sort_unstable();
    pids.sort_unstable();
    assert_eq!(reported, pids);
    let given_up = processes.iter().filter(|process| process["given_up"] == true);
    assert_eq!(
        given_up.map(|process| process["generation"].as_u64()).collect::<Vec<_>>(),
        [Some(1); 2]
    );
    let peak = |process: &serde_json::Value| process["rss_peak_mb"].as_f64().unwrap();
    let largest = processes[1..].iter().map(peak).fold(0.0, f64::max);
    assert_eq!(metrics["rss_peak_mb"], largest);
}

#[test]
fn jobs_that_run_together_have_their_workers_and_share_the_supervisor() {
    let program = |flow: &str| {
        let program = program("generate(count: 20, text: \"one\")", "sim:a100/qwen2.5-7b@50");
        program.replace("flow f", &format!("flow {flow}"))
    };
    let sage = Sage::new().file("a.sage", program("a")).file("b.sage", program("b"));
    let sage = sage.args("run a.sage b.sage --workers 2 --out out");
    let done = sage.go().exits(0);
    done.says("supervisor with gateway and simulated endpoints (of all jobs) ");
    let processes = |job: &str| {
        let text =
            std::fs::read(sage.folder.path().join(format!("out/{job}/metrics.json"))).unwrap();
        let metrics: serde_json::Value = serde_json::from_slice(&text).unwrap();
        metrics["processes"].as_array().unwrap().clone()
    };
    let (a, b) = (processes("a"), processes("b"));
    assert_eq!((a.len(), b.len()), (3, 3));
    assert_eq!((&a[0]["pid"], &a[0]["jobs"]), (&b[0]["pid"], &2.into()));
    let pids: std::collections::BTreeSet<u64> =
        a.iter().chain(&b).map(|process| process["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 5);
}
