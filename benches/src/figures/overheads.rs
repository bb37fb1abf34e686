//! `overheads`: what a task, a decision, a message and a call cost beside the work in them. The twin
//! takes these as `sage_twin::model::Overheads`.
//!
//! Processor times are slopes between a short and a long run, so that starting costs nothing; those
//! of a call are what a flow with one has beyond a flow with a timer in its place. Times of messages
//! are medians of a run in which no queue builds up.

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

    let calm = ["--workers", "2", "--flow", "waits", "--rate", "200/s"];
    let calm = run(bench, &calm, 1000)?;
    let us = |pointer: &str| calm.number(pointer).map(|us| us * 1e3);
    row(table, "decision_ns, median within the policy", us("/decision_p50_us")?);
    row(table, "dispatch_ns, median from decision to worker", us("/dispatch_p50_us")?);

    let stub = super::bench::Stub::start(&["--delay-ms", "5"])?;
    let url = format!("url={}", stub.url);
    let lone =
        ["--workers", "1", "--flow", "asks", "--slots", "1", "--set", &url, "--set", "model=stub"];
    let lone = run(bench, &lone, 400);
    stub.stop()?;
    lone?;
    let median_ms = median(&column(bench, "answer_ms")?).context("no call was made")?;
    let hop = (median_ms - 5.0) * 1e6 - call_ns.max(0.0) - asks.supervisor.max(0.0);
    row(table, "hop_ns, half of what a call takes beyond server and CPU", hop / 2.0);
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

/// A column of the last run's `tasks.csv`.
fn column(bench: &Bench, name: &str) -> anyhow::Result<Vec<f64>> {
    let text = std::fs::read_to_string(bench.scratch("run").join("tasks.csv"))?;
    let mut lines = text.lines().map(|line| line.split(','));
    let head = lines.next().context("the table is empty")?;
    let at = head.into_iter().position(|column| column == name);
    let at = at.with_context(|| format!("the table has no column `{name}`"))?;
    Ok(lines.filter_map(|mut row| row.nth(at)?.parse().ok()).collect())
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
