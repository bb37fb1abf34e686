//! `twin`: how fast virtual time passes, what it takes of memory, and how long the plan takes.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::bench::{Bench, run};
use crate::process;
use crate::table::Table;

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let tasks = bench.amount(1_000_000);
    simulated(bench, table, "heterogeneous.sage", 1024, tasks)?;
    simulated(bench, table, "llm.sage", 64, bench.amount(100_000))?;
    suite(bench, table, "--on twin", &["--on", "twin"], "< 20 s")?;
    if !bench.quick {
        suite(bench, table, "--on sim --quick", &["--on", "sim", "--quick"], "< 600 s")?;
    }
    Ok(())
}

/// One program in the twin.
fn simulated(
    bench: &Bench,
    table: &mut Table,
    program: &str,
    nodes: u32,
    tasks: u64,
) -> anyhow::Result<()> {
    let mut command = Command::new(&bench.sage);
    command.arg("simulate").arg(Bench::pipeline(program));
    command.args(["--workers", &nodes.to_string(), "--tasks", &tasks.to_string()]);
    command.arg("--out").arg(bench.scratch(program));
    let before = process::ended_children_cpu_s();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut peak: f64 = 0.0;
    while child.try_wait()?.is_none() {
        peak = process::peak_rss_mib(child.id()).unwrap_or(0.0).max(peak);
        thread::sleep(Duration::from_millis(20));
    }
    let mut output = String::new();
    child.stdout.take().context("its output is a pipe")?.read_to_string(&mut output)?;
    let cpu_s = process::ended_children_cpu_s() - before;
    let events = output.split(" events)").next().and_then(|text| text.rsplit(' ').next());
    let events: f64 = events.and_then(|text| text.parse().ok()).context("it names no events")?;
    let name = format!("twin: {program}, {tasks} tasks on {nodes} nodes");
    let rate = format!("{:.2} M/s ({events} events in {:.2} s)", events / cpu_s / 1e6, cpu_s);
    table.add(&format!("{name}: events a CPU second"), ">= 1 M/s", rate);
    table.add(&format!("{name}: most memory"), "reported", format!("{peak:.0} MiB"));
    Ok(())
}

/// All experiments of the repository.
fn suite(
    bench: &Bench,
    table: &mut Table,
    name: &str,
    args: &[&str],
    target: &str,
) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(&bench.sage);
    command.args(["experiment", "run", "all", "--fresh", "--quiet"]).args(args);
    command.arg("--out").arg(bench.scratch("suite")).current_dir(root);
    let (ran, _) = run(command.stdin(Stdio::null()))?;
    anyhow::ensure!(ran.code == 0, "the suite ended with exit code {}", ran.code);
    let took = format!("{:.1} s; CPU {:.1} s", ran.wall_s, ran.cpu_s);
    table.add(&format!("twin: experiment run all {name}: wall"), target, took);
    Ok(())
}
