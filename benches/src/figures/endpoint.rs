//! `endpoint`: calls with a known service time, against a plain loop that makes the same calls.

use serde_json::Value;

use super::bench::{Bench, Ran, Stub, number};
use crate::table::{Samples, Table, ratio};

const IN_FLIGHT: &str = "64";

/// What one side of the comparison gave.
#[derive(Default)]
struct Side {
    span_s: Samples,
    wall_s: Samples,
    call_cpu_ms: Samples,
}

impl Side {
    fn add(&mut self, ran: &Ran, seen: &Value, calls: u64) -> anyhow::Result<()> {
        let served = number(seen, "/calls")?;
        anyhow::ensure!(served as u64 == calls, "the endpoint saw {served} calls of {calls}");
        self.span_s.push(number(seen, "/span_s")?);
        self.wall_s.push(ran.wall_s);
        self.call_cpu_ms.push(1e3 * ran.cpu_s / calls as f64);
        Ok(())
    }
}

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let calls = bench.amount(2000);
    compare(bench, table, calls, "endpoint, fixed 50 ms", &["--delay-ms", "50"], true)?;
    compare(bench, table, calls, "endpoint, 10 % at 230 ms", &["--tail"], false)
}

fn compare(
    bench: &Bench,
    table: &mut Table,
    calls: u64,
    name: &str,
    stub_args: &[&str],
    whole: bool,
) -> anyhow::Result<()> {
    let (mut ours, mut direct) = (Side::default(), Side::default());
    let (mut startup, mut most) = (Samples::default(), 0.0_f64);
    let mut last = None;
    for _ in 0..bench.rounds {
        let (ran, seen) = direct_loop(bench, calls, stub_args)?;
        direct.add(&ran, &seen, calls)?;
        let (ran, seen) = sage(bench, calls, stub_args)?;
        ours.add(&ran, &seen, calls)?;
        startup.push(ran.number("/startup_s")?);
        most = most.max(number(&seen, "/max_in_flight")?);
        last = Some(ran);
    }
    table.add_ratio(
        &format!("{name}: span, {calls} calls, {IN_FLIGHT} in flight, 16 x 4 slots"),
        "<= 1.10 of the plain loop",
        format!("{} : {}", ours.span_s.shown("s"), direct.span_s.shown("s")),
        ratio(&ours.span_s, &direct.span_s),
    );
    table.add(&format!("{name}: most in flight at the endpoint"), IN_FLIGHT, format!("{most:.0}"));
    table.add_ratio(
        &format!("{name}: CPU a call, all processes"),
        "<= 0.4 ms",
        format!("{} : {}", ours.call_cpu_ms.shown("ms"), direct.call_cpu_ms.shown("ms")),
        ratio(&ours.call_cpu_ms, &direct.call_cpu_ms),
    );
    if let (true, Some(ran)) = (whole, last) {
        table.add(
            &format!("{name}: start-up of 16 workers to first dispatch"),
            "< 1 s",
            startup.shown("s"),
        );
        table.add(
            &format!("{name}: wall of the whole run"),
            "",
            format!("{} : {}", ours.wall_s.shown("s"), direct.wall_s.shown("s")),
        );
        let empty = empty_run(bench)?;
        table.add(
            "endpoint: CPU of a run of 16 workers with one call",
            "",
            format!(
                "{:.3} s ({:.3} ms a call if shared out over {calls})",
                empty,
                1e3 * empty / calls as f64
            ),
        );
        scheduling(table, name, &ran);
    }
    Ok(())
}

fn direct_loop(bench: &Bench, calls: u64, stub_args: &[&str]) -> anyhow::Result<(Ran, Value)> {
    let stub = Stub::start(stub_args)?;
    let output = bench.scratch("direct.jsonl").display().to_string();
    let calls = calls.to_string();
    let args = [&stub.url, &output, "--calls", &calls, "--concurrency", IN_FLIGHT];
    let ran = Bench::tool("direct_loop", &args)?;
    Ok((ran, stub.stop()?))
}

fn sage(bench: &Bench, calls: u64, stub_args: &[&str]) -> anyhow::Result<(Ran, Value)> {
    let stub = Stub::start(stub_args)?;
    let (url, tasks) = (format!("url={}", stub.url), format!("tasks={calls}"));
    let mut args = vec!["--set", &url, "--set", &tasks];
    args.extend(["--workers", "16", "--slots", "4", "--concurrency", IN_FLIGHT]);
    let ran = bench.sage(&Bench::own("endpoint.sage"), &args)?;
    anyhow::ensure!(ran.code == 0, "sage-flow ended with exit code {}", ran.code);
    Ok((ran, stub.stop()?))
}

/// What starting and ending costs: the same run with one call.
fn empty_run(bench: &Bench) -> anyhow::Result<f64> {
    let mut cpu_s = Samples::default();
    for _ in 0..bench.rounds {
        cpu_s.push(sage(bench, 1, &["--delay-ms", "50"])?.0.cpu_s);
    }
    Ok(cpu_s.median())
}

/// How long the scheduling operator takes, from the same run.
pub(super) fn scheduling(table: &mut Table, name: &str, ran: &Ran) {
    let quantiles = |what: &str| {
        let us = |q: &str| ran.number(&format!("/{what}_{q}_us")).unwrap_or(f64::NAN);
        format!("p50 {:.1} us, p99 {:.1} us", us("p50"), us("p99"))
    };
    table.add(&format!("{name}: decision"), "p99 < 20 us", quantiles("decision"));
    table.add(
        &format!("{name}: dispatch to one of 16 processes"),
        "reported",
        quantiles("dispatch"),
    );
}
