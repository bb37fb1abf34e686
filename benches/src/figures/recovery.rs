//! `recovery`: what commits and the answer journal cost, and how soon a run goes on that has a
//! million tasks behind it.
//!
//! A run always commits, so its cost is shown by what the disk adds: the same run with its folder
//! on the disk and in memory (`/dev/shm`), where bringing a file to the disk costs nothing, and by
//! the share of the workers' processor time that the committing threads take.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::bench::{Bench, Ran, run};
use crate::table::{Samples, Table, ratio};

pub(super) fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let memory = tempfile::tempdir_in("/dev/shm").context("no file system in memory")?;
    let disk = bench.scratch("disk");
    std::fs::create_dir_all(&disk)?;
    for (flow, tasks, what) in [
        ("waits", 20_000, "commits of tiny tasks"),
        ("asks", 5_000, "commits and answer journal of calls that cost nothing"),
    ] {
        let tasks = bench.amount(tasks);
        let (mut on_disk, mut in_memory) = (Samples::default(), Samples::default());
        for _ in 0..bench.rounds {
            for (folder, samples) in
                [(disk.as_path(), &mut on_disk), (memory.path(), &mut in_memory)]
            {
                samples.push(ran(bench, folder, flow, tasks)?.number("/makespan_s")?);
            }
        }
        table.add_ratio(
            &format!("recovery: {what}, {tasks} on 4 workers, disk : memory"),
            "reported",
            format!("{} : {}", on_disk.shown("s"), in_memory.shown("s")),
            ratio(&on_disk, &in_memory),
        );
    }
    let done = bench.amount(1_000_000);
    let resumed = resumed(bench, &disk, done)?;
    table.add(
        &format!("recovery: resume with {} tasks done, to the first dispatch", resumed.done),
        "reported",
        format!(
            "{:.2} s (the run before began to dispatch after {:.2} s)",
            resumed.startup_s, resumed.first_s
        ),
    );
    Ok(())
}

fn command(bench: &Bench, folder: &Path, flow: &str, tasks: u64) -> (Command, PathBuf) {
    let out = folder.join("run");
    let mut command = Command::new(&bench.sage);
    command.arg("run").arg(Bench::own("overheads.sage")).args(["--workers", "4", "--quiet"]);
    command.args(["--flow", flow, "--set", &format!("tasks={tasks}")]).arg("--out").arg(&out);
    command.env("SAGE_STATE_DIR", folder.join("state")).stdin(Stdio::null());
    (command, out)
}

fn ran(bench: &Bench, folder: &Path, flow: &str, tasks: u64) -> anyhow::Result<Ran> {
    let (mut command, out) = command(bench, folder, flow, tasks);
    // What an earlier run left would be gone on with.
    let _ = std::fs::remove_dir_all(&out);
    let (mut ran, _) = run(&mut command)?;
    ensure!(ran.code == 0, "it ended with exit code {}", ran.code);
    ran.report = serde_json::from_str(&std::fs::read_to_string(out.join("metrics.json"))?)?;
    Ok(ran)
}

/// A run that was interrupted, and went on.
struct Resumed {
    done: u64,
    first_s: f64,
    startup_s: f64,
}

/// Interrupt a run when `done` of its tasks are done, and give the same command again.
fn resumed(bench: &Bench, folder: &Path, done: u64) -> anyhow::Result<Resumed> {
    let (mut command, out) = command(bench, folder, "waits", done + done / 2);
    let _ = std::fs::remove_dir_all(&out);
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let began = Instant::now();
    while counted(bench, folder)? < done {
        std::thread::sleep(Duration::from_millis(50));
        if began.elapsed() > Duration::from_secs(1800) || child.try_wait()?.is_some() {
            let _ = child.kill();
            let _ = child.wait();
            bail!("it ended, or took half an hour, before {done} tasks were done");
        }
    }
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.context("a process")?, rustix::process::Signal::INT)?;
    child.wait()?;
    let report = || -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&std::fs::read_to_string(out.join("metrics.json"))?)?)
    };
    let number = |report: &Value, name: &str| report[name].as_f64().context(name.to_owned());
    let first = report()?;
    ensure!(first["status"] == "interrupted", "it was over before the interrupt came");
    let (ran, _) = run(&mut command)?;
    ensure!(ran.code == 0, "the resumed run ended with exit code {}", ran.code);
    Ok(Resumed {
        done: first["tasks_ok"].as_u64().context("tasks_ok")?,
        first_s: number(&first, "startup_s")?,
        startup_s: number(&report()?, "startup_s")?,
    })
}

/// Tasks that the one job of a state folder has done.
fn counted(bench: &Bench, folder: &Path) -> anyhow::Result<u64> {
    let mut command = Command::new(&bench.sage);
    command.args(["jobs", "list", "--json"]).env("SAGE_STATE_DIR", folder.join("state"));
    let (_, output) = run(&mut command)?;
    let jobs: Value = serde_json::from_str(&output).unwrap_or_default();
    let running = |job: &&Value| job["state"] == "running";
    let job = jobs["jobs"].as_array().and_then(|jobs| jobs.iter().find(running));
    Ok(job.and_then(|job| job.pointer("/counts/tasks_ok")?.as_u64()).unwrap_or(0))
}
