//! `idle`: sixteen workers that have nothing to do.

use std::process::Stdio;
use std::time::Duration;

use super::bench::Bench;
use crate::process;
use crate::table::Table;

/// Workers dial in, open their files and settle within this time.
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let rag = ["--workers", "16", "--endpoint", "sim:a100/qwen2.5-7b@10"];
    waiting(bench, table, "idle.sage", &["--workers", "16"])?;
    waiting(bench, table, "idle_rag.sage", &rag)
}

/// Start a program that reads from the standard input, and never write to it.
fn waiting(bench: &Bench, table: &mut Table, program: &str, args: &[&str]) -> anyhow::Result<()> {
    let watch = Duration::from_secs(bench.amount(10));
    let (mut command, _) = bench.sage_command(&Bench::own(program), args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    std::thread::sleep(SETTLE);
    let processes = process::tree(child.id());
    let spent = || processes.iter().map(|pid| process::cpu_s(*pid)).sum::<f64>();
    let before = spent();
    std::thread::sleep(watch);
    let share = 100.0 * (spent() - before) / watch.as_secs_f64();
    let memory: Vec<_> = processes.iter().map(|pid| process::memory_mb(*pid)).collect();
    drop(child.stdin.take());
    child.wait()?;

    anyhow::ensure!(processes.len() == 17, "there are {} processes, not 17", processes.len());
    let workers = memory.get(1..).unwrap_or_default();
    let mean =
        |of: fn(&(f64, f64)) -> f64| workers.iter().map(of).sum::<f64>() / workers.len() as f64;
    let (supervisor_rss, supervisor_pss) = memory[0];
    table.add(
        &format!("idle, {program}: CPU of all processes over {} s, 16 workers", watch.as_secs()),
        "< 1 % of a core",
        format!("{share:.2} %"),
    );
    table.add(
        &format!("idle, {program}: RSS a worker (PSS); supervisor"),
        "< 15 MB",
        format!(
            "{:.1} MiB ({:.1} MiB); {supervisor_rss:.1} MiB ({supervisor_pss:.1} MiB)",
            mean(|m| m.0),
            mean(|m| m.1)
        ),
    );
    Ok(())
}
