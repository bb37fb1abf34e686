//! `overheads`: what a task, a decision, a message and a call cost beside the work in them. The twin
//! takes these as `sage_twin::model::Overheads`.
//!
//! Processor times are slopes between a short and a long run, so that starting costs nothing; those
//! of a call are what a flow with one has beyond a flow with a timer in its place. They are of runs
//! that have enough to do: a task that comes alone costs several times as much, because each of its
//! messages wakes a worker up, but then nobody is short of processors. Times of messages are medians
//! of a calm run. The simulated endpoint's timer, which is up to a millisecond late each time, is a part
//! of `hop_ns`; it depends on the endpoint's speed, so a run and the twin are held side by side.

use anyhow::Context;

use super::bench::{Bench, Ran};
use crate::table::Table;

/// Processor time for each task, nanoseconds.
struct Cpu {
    /// Of the first worker: source and scheduler too.
    first: f64,
    /// Of another worker, for each task that it executes.
    other: f64,
    /// Of the supervisor, which hosts gateway and simulated endpoint.
    supervisor: f64,
}

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let (waits, asks) = (cpu(bench, "waits")?, cpu(bench, "asks")?);
    let row = |table: &mut Table, name: &str, ns: f64| {
        table.add(&format!("overheads: {name}"), "", format!("{:.0} ns", ns.max(0.0)));
    };
    row(table, "task_ns, CPU of a worker for a task", waits.other);
    row(table, "coordinate_ns, CPU of the first worker for a task beside that", waits.first);
    let call_ns = asks.other - waits.other;
    row(table, "call_ns, CPU of a worker for a call", call_ns);
    row(table, "gateway_ns, CPU of gateway and simulated endpoint for a call", asks.supervisor);

    // Few enough that nothing waits for anything, and each message wakes somebody up.
    let calm = ["--workers", "2", "--flow", "asks", "--rate", "50/s"];
    let calm = run(bench, &calm, 500)?;
    let ns = |pointer: &str| calm.number(pointer).map(|us| us * 1e3);
    row(table, "decision_ns, median within the policy", ns("/decision_p50_us")?);
    row(table, "dispatch_ns, median from decision to worker", ns("/dispatch_p50_us")?);
    for speed in ["1", "20"] {
        let url = format!("url=sim:a100/qwen2.5-7b@{speed}");
        let args = ["--workers", "2", "--flow", "asks", "--rate", "10/s", "--set", &url];
        let ran = run(bench, &args, 100)?.number("/stages/0/mean_ms")?;
        let twin = bench.simulated(&Bench::own("overheads.sage"), &args, bench.amount(100))?;
        let twin = super::bench::number(&twin, "/stages/0/mean_ms")?;
        table.add(
            &format!("overheads: a calm call at speed {speed}, run : twin (twice hop_ns is in it)"),
            "",
            format!("{ran:.2} ms : {twin:.2} ms"),
        );
    }
    Ok(())
}

fn run(bench: &Bench, args: &[&str], tasks: u64) -> anyhow::Result<Ran> {
    let tasks = format!("tasks={}", bench.amount(tasks));
    let mut all = args.to_vec();
    all.extend(["--set", &tasks]);
    let ran = bench.sage(&Bench::own("overheads.sage"), &all)?;
    anyhow::ensure!(ran.code == 0, "it ended with exit code {}", ran.code);
    Ok(ran)
}

/// Slopes between a short run and a long one, of the round with the least.
fn cpu(bench: &Bench, flow: &str) -> anyhow::Result<Cpu> {
    let mut best: Option<Cpu> = None;
    for _ in 0..bench.rounds {
        let args = ["--workers", "2", "--flow", flow];
        let (short, long) = (run(bench, &args, 1_000)?, run(bench, &args, 9_000)?);
        let slope = |pointer: &str| -> anyhow::Result<f64> {
            Ok(long.number(pointer)? - short.number(pointer)?)
        };
        let (first, other) = (slope("/nodes/0/tasks")?, slope("/nodes/1/tasks")?);
        let other_ns = slope("/nodes/1/cpu_s")? * 1e9 / other.max(1.0);
        let all = (first + other).max(1.0);
        let first_ns = slope("/nodes/0/cpu_s")? * 1e9 - other_ns * first;
        let supervisor = slope("/supervisor_cpu_s")? * 1e9 / all;
        let cpu = Cpu { first: first_ns / all, other: other_ns, supervisor };
        if best.as_ref().is_none_or(|best| cpu.other < best.other) {
            best = Some(cpu);
        }
    }
    best.context("no round was made")
}
