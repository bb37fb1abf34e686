//! `jobs cleanup`: end what lost jobs left running, and forget the jobs that have ended.
//!
//! So are credentials that runs have left behind which were killed. Output folders are never touched:
//! results are the user's.

use std::fs;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{complain, plural};
use crate::exit::{Exit, usage};
use crate::jobs::{self, Life, Listed, Record, Store, Unread, Worker};

const EXAMPLES: &str = "\
Examples:
  sage-flow jobs cleanup
  sage-flow jobs cleanup --yes
  sage-flow jobs cleanup rag-7k2m --yes --json

It asks first; without a terminal it needs --yes. Output folders are never touched.

Exit codes: 0 done, or nothing to do   1 usage error, no such job, a job that runs
  2 a worker could not be ended";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CleanupArguments {
    /// Only these [default: all that have ended]
    #[arg(value_name = "ID")]
    jobs: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// For killed processes to go.
const GONE: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// What there is to do.
#[derive(Default)]
struct Todo<'l> {
    jobs: Vec<&'l Record>,
    /// Files that say nothing of a job.
    files: Vec<&'l Unread>,
    /// What opened runs that are gone.
    credentials: Vec<PathBuf>,
}

impl Todo<'_> {
    fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.files.is_empty() && self.credentials.is_empty()
    }
}

pub(super) fn cleanup(arguments: &CleanupArguments) -> anyhow::Result<Exit> {
    let store = Store::open()?;
    let listed = store.all()?;
    let (todo, refused) = todo(&listed, &arguments.jobs);
    refused.iter().for_each(|error| eprintln!("error: {error:#}"));
    if arguments.jobs.is_empty() {
        complain(&listed);
    }
    let nothing = todo.is_empty();
    if !nothing && !arguments.yes && !agreed(&todo)? {
        println!("nothing was done");
        return Ok(Exit::Complete);
    }
    let mut killed = Vec::new();
    let mut removed = Vec::new();
    let mut left = Vec::new();
    for record in &todo.jobs {
        let (ended, alive) = end_workers(record)?;
        killed.extend(ended.iter().map(|worker| (record.id.as_str(), worker.process.pid)));
        if alive.is_empty() {
            store.remove(&record.id)?;
            removed.push(record.id.as_str());
        } else {
            left.extend(alive.iter().map(|worker| (record.id.as_str(), worker.process.pid)));
        }
    }
    for unread in &todo.files {
        fs::remove_file(&unread.path)?;
        removed.push(unread.id.as_str());
    }
    let mut unneeded = Vec::new();
    for path in &todo.credentials {
        fs::remove_file(path)?;
        unneeded.push(path.display().to_string());
    }
    let swept = store.sweep();
    if arguments.json {
        let pids = |found: &[(&str, u32)]| {
            let shown = found.iter().map(|(job, pid)| json!({"job": job, "pid": pid}));
            Value::Array(shown.collect())
        };
        let all = json!({
            "ended_workers": pids(&killed),
            "removed": removed,
            "credentials": unneeded,
            "unfinished_files": swept,
            "left": pids(&left),
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        killed.iter().for_each(|(job, pid)| println!("ended worker {pid} of {job}"));
        removed.iter().for_each(|job| println!("forgot {job}"));
        unneeded.iter().for_each(|path| println!("removed the credentials {path}"));
        if nothing && refused.is_empty() {
            println!("nothing to clean up");
        }
    }
    for (job, pid) in &left {
        eprintln!("error: worker {pid} of {job} did not end; the job is kept");
    }
    Ok(match (left.is_empty(), refused.is_empty()) {
        (true, true) => Exit::Complete,
        (true, false) => Exit::Usage,
        (false, _) => Exit::Failed,
    })
}

/// What was asked for, or all that has ended here, and why some of it cannot be done. What is damaged
/// is removed only if it is named: it may be of a job that runs.
fn todo<'l>(listed: &'l Listed, names: &[String]) -> (Todo<'l>, Vec<anyhow::Error>) {
    if names.is_empty() {
        let ended = listed.jobs.iter().filter(|record| is_done(record)).collect();
        let credentials = jobs::left_behind();
        return (Todo { jobs: ended, files: Vec::new(), credentials }, Vec::new());
    }
    let mut todo = Todo::default();
    let refused = names.iter().filter_map(|name| add(&mut todo, listed, name).err()).collect();
    (todo, refused)
}

fn is_done(record: &Record) -> bool {
    !record.state().goes_on() && record.elsewhere().is_none()
}

fn add<'l>(todo: &mut Todo<'l>, listed: &'l Listed, name: &str) -> anyhow::Result<()> {
    if let Some(unread) = listed.unread.iter().find(|unread| unread.id == *name) {
        if unread.newer {
            let (path, reason) = (unread.path.display(), &unread.reason);
            return Err(usage(format!(
                "`{path}`: {reason}; remove the file by hand if that sage-flow is gone"
            )));
        }
        if unread.path.is_dir() {
            return Err(usage(format!(
                "`{}`: it is a folder and no record of a job, so it is left alone; move or remove it \
                 by hand",
                unread.path.display()
            )));
        }
        todo.files.push(unread);
        return Ok(());
    }
    let record = listed.find(name)?;
    let id = &record.id;
    if let Some(host) = record.elsewhere() {
        return Err(usage(format!("job {id} is on {host}; clean it up there")));
    }
    if !is_done(record) {
        return Err(usage(format!("job {id} still runs; `sage-flow jobs cancel {id}` stops it")));
    }
    if !todo.jobs.iter().any(|known| known.id == *id) {
        todo.jobs.push(record);
    }
    Ok(())
}

/// Ask on the terminal; without one, nobody can agree.
fn agreed(todo: &Todo<'_>) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(usage("`jobs cleanup` asks first, and there is no terminal; give --yes"));
    }
    for record in &todo.jobs {
        let workers = match record.living().len() {
            0 => String::new(),
            living => format!(", {} alive", plural(living, "worker")),
        };
        eprintln!("  {} {}{workers}", record.id, record.state().word());
    }
    todo.files.iter().for_each(|unread| eprintln!("  {} {}", unread.id, unread.reason));
    let credentials = todo.credentials.iter().map(|path| path.display());
    credentials.for_each(|path| eprintln!("  credentials of a run that is gone: {path}"));
    let all = plural(todo.jobs.len() + todo.files.len(), "job");
    eprint!("End their workers and forget {all}? Output folders stay. [y/N] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Kill the workers of a job whose supervisor is gone. Gives those that ended by it, and those that
/// did not.
fn end_workers(record: &Record) -> anyhow::Result<(Vec<&Worker>, Vec<&Worker>)> {
    let mut killed = Vec::new();
    for worker in record.living() {
        if worker.process.signal(Signal::KILL)? {
            killed.push(worker);
        }
    }
    let until = Instant::now() + GONE;
    let lives = |worker: &&Worker| worker.process.life() != Life::Ended;
    while killed.iter().any(lives) && Instant::now() < until {
        thread::sleep(LOOK);
    }
    let (left, ended) = killed.into_iter().partition(lives);
    Ok((ended, left))
}
