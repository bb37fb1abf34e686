//! `gateway`: what the gateway costs, and what it does for jobs that share an endpoint, through an
//! outage, against a throttling server and a stalled one.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::bench::{Bench, Ran, Server, Stub, number};
use crate::process;
use crate::table::{Samples, Table, ratio};

const PROFILE: &str = "a100/qwen2.5-7b";
pub(super) const MODEL: &str = "Qwen/Qwen2.5-7B-Instruct";

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    overhead(bench, table)?;
    fairness(bench, table)?;
    outage(bench, table)?;
    throttled(bench, table)?;
    stalled(bench, table)
}

pub(super) fn simulator(bench: &Bench, speed: &str) -> anyhow::Result<Server> {
    bench.serve(&["simulator", "--listen", "127.0.0.1:0", "--profile", PROFILE, "--speed", speed])
}

pub(super) fn gateway(bench: &Bench, upstream: &str, more: &[&str]) -> anyhow::Result<Server> {
    let mut args = vec!["gateway", "--listen", "127.0.0.1:0", "--upstream", upstream];
    args.extend(["--model", MODEL]);
    args.extend(more);
    bench.serve(&args)
}

fn load(url: &str, seconds: &str, window: &str, jobs: &[&str]) -> anyhow::Result<Value> {
    let mut args = vec![url, "--model", MODEL, "--seconds", seconds];
    args.extend(["--window", window]);
    for job in jobs {
        args.extend(["--job", job]);
    }
    Ok(Bench::tool("load", &args)?.report)
}

/// The same calls to the same server with and without the gateway between, in turn: to the
/// simulator, and to a stub that answers at once, since the simulator's own timers tick in
/// milliseconds.
fn overhead(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let server = simulator(bench, "1000")?;
    compared(bench, table, "the simulator", &server.url)?;
    let stub = Stub::start(&["--delay-ms", "0"])?;
    compared(bench, table, "an instant stub", &stub.url)?;
    stub.stop().map(drop)
}

fn compared(bench: &Bench, table: &mut Table, server: &str, url: &str) -> anyhow::Result<()> {
    let seconds = if bench.quick { "2" } else { "6" };
    for (what, job) in [("1 in flight", "a:1:32:1"), ("64 in flight", "a:64:32:1")] {
        let between = gateway(bench, url, &["--concurrency", "256"])?;
        let (mut direct, mut through) = (Side::default(), Side::default());
        for _ in 0..bench.rounds {
            direct.add(&load(url, seconds, "1", &[job])?)?;
            through.add(&load(&between.url, seconds, "1", &[job])?)?;
        }
        let name = format!("gateway before {server}, {what}");
        let lines = [
            ("p50", &through.p50_ms, &direct.p50_ms, "ms"),
            ("p99", &through.p99_ms, &direct.p99_ms, "ms"),
            ("calls a second", &through.rate, &direct.rate, "/s"),
        ];
        for (figure, ours, theirs, unit) in lines {
            table.add_ratio(
                &format!("{name}: {figure} through the gateway : direct"),
                "reported",
                format!("{} : {}", ours.shown(unit), theirs.shown(unit)),
                ratio(ours, theirs),
            );
        }
    }
    Ok(())
}

#[derive(Default)]
struct Side {
    p50_ms: Samples,
    p99_ms: Samples,
    rate: Samples,
}

impl Side {
    fn add(&mut self, report: &Value) -> anyhow::Result<()> {
        anyhow::ensure!(number(report, "/jobs/0/failed")? == 0.0, "calls failed");
        self.p50_ms.push(number(report, "/jobs/0/p50_ms")?);
        self.p99_ms.push(number(report, "/jobs/0/p99_ms")?);
        self.rate.push(number(report, "/jobs/0/calls_per_s")?);
        Ok(())
    }
}

/// Three jobs of equal weight, one of which keeps 400 calls outstanding. At ten times its speed the
/// simulator's 20 seconds are 2 of ours.
fn fairness(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let seconds = if bench.quick { "12" } else { "41" };
    let server = simulator(bench, "10")?;
    let between = gateway(bench, &server.url, &["--concurrency", "64"])?;
    let jobs = ["flood:400:512:256", "rag:48:800:128", "chat:48:200:256"];
    let report = load(&between.url, seconds, "2", &jobs)?;
    let cost = |job: usize| number(&report, &format!("/jobs/{job}/cost_per_s"));
    let fair = (cost(0)? + cost(1)? + cost(2)?) / 3.0;
    for (job, name) in [(1, "rag"), (2, "chat")] {
        let cv = number(&report, &format!("/jobs/{job}/window_cv"))?;
        table.add(
            &format!("fairness: job `{name}` beside one with 400 outstanding: part of its share"),
            ">= 85 %",
            format!("{:.1} %", 100.0 * cost(job)? / fair),
        );
        table.add(
            &format!(
                "fairness: job `{name}`: coefficient of variation, windows of 20 s (simulated)"
            ),
            "<= 0.10",
            format!("{cv:.3} ({:.0} windows)", number(&report, &format!("/jobs/{job}/windows"))?),
        );
    }
    Ok(())
}

fn against(bench: &Bench, calls: u64, stub_args: &[&str]) -> anyhow::Result<(Ran, Value)> {
    let stub = Stub::start(stub_args)?;
    let (url, tasks) = (format!("url={}", stub.url), format!("tasks={calls}"));
    let args = ["--set", &url, "--set", &tasks, "--set", "timeout=120s"];
    let more = ["--workers", "16", "--slots", "4", "--concurrency", "64"];
    let args: Vec<&str> = args.into_iter().chain(more).collect();
    let ran = bench.sage(&Bench::own("endpoint.sage"), &args)?;
    Ok((ran, stub.stop()?))
}

/// The server is away for 30 s in the middle.
fn outage(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let calls = bench.amount(2000);
    let away = if bench.quick { "3" } else { "30" };
    // With 64 at once and 500 ms each, 2000 calls take 16 s.
    let stub = ["--delay-ms", "500", "--down-after", if bench.quick { "0.7" } else { "7" }];
    let stub: Vec<&str> = stub.into_iter().chain(["--down-for", away]).collect();
    let (ran, seen) = against(bench, calls, &stub)?;
    table.add(
        &format!("outage of {away} s in the middle of {calls} tasks: ok, dead; exit code"),
        &format!("{calls}, 0; 0"),
        format!("{:.0}, {:.0}; {}", ran.number("/tasks_ok")?, ran.number("/tasks_dead")?, ran.code),
    );
    table.add(
        "outage: answers given more than once; tries, retries",
        "0; reported",
        format!(
            "{:.0}; {:.0}, {:.0}",
            number(&seen, "/answered_again")?,
            number(&seen, "/calls")?,
            ran.number("/endpoint_stats/0/retries")?
        ),
    );
    table.add("outage: wall", "", format!("{:.1} s", ran.wall_s));
    Ok(())
}

/// Three calls of ten are refused with 429 and `Retry-After: 1`.
fn throttled(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let calls = bench.amount(2000);
    let (ran, seen) = against(bench, calls, &["--delay-ms", "50", "--throttled", "30"])?;
    let retries = ran.number("/endpoint_stats/0/retries")?;
    table.add(
        &format!("30 % of 429: {calls} tasks: ok, dead; exit code"),
        &format!("{calls}, 0; 0"),
        format!("{:.0}, {:.0}; {}", ran.number("/tasks_ok")?, ran.number("/tasks_dead")?, ran.code),
    );
    table.add(
        "30 % of 429: retries; refused by the server; wall",
        "within the budget",
        format!("{retries:.0}; {:.0}; {:.1} s", number(&seen, "/refused")?, ran.wall_s),
    );
    Ok(())
}

/// A million records wait at the source while nothing is answered: memory must not follow them.
fn stalled(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let (stall, watch) = if bench.quick { ("30", 6) } else { ("90", 60) };
    let records = bench.amount(1_000_000);
    let stub = Stub::start(&["--delay-ms", "50", "--stall", stall])?;
    let (url, tasks) = (format!("url={}", stub.url), format!("tasks={records}"));
    let args = ["--set", &url, "--set", &tasks, "--set", "timeout=120s", "--workers", "4"];
    let (mut command, _) = bench.sage_command(&Bench::own("endpoint.sage"), &args);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    std::thread::sleep(Duration::from_secs(3));
    let processes = process::tree(child.id());
    let resident = || processes.iter().map(|pid| process::memory_mb(*pid).0).sum::<f64>();
    let first = resident();
    let (mut most, began) = (first, Instant::now());
    while began.elapsed() < Duration::from_secs(watch) {
        std::thread::sleep(Duration::from_millis(500));
        most = most.max(resident());
    }
    child.kill().context("the run had ended by itself")?;
    child.wait()?;
    stub.stop()?;
    table.add(
        &format!("stall of {watch} s, {records} records at the source: RSS of all processes, first : most"),
        "within 20 %",
        format!("{first:.1} : {most:.1} MiB (+{:.1} %)", 100.0 * (most / first - 1.0)),
    );
    Ok(())
}
