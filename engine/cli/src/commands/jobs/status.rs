//! `jobs status`: one job in full.

use clap::Args;

use super::complain;
use super::list::time;
use crate::exit::Exit;
use crate::jobs::{Life, Record, Store, counted, shown};

const EXAMPLES: &str = "\
Examples:
  sage-flow jobs status rag-7k2m
  sage-flow jobs status results/runs/rag-2026-11-27-101500
  sage-flow jobs status rag --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StatusArguments {
    /// The job's id, the beginning of it, or a folder it writes to
    #[arg(value_name = "ID|FOLDER")]
    job: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn status(arguments: &StatusArguments) -> anyhow::Result<Exit> {
    let listed = Store::open()?.all()?;
    complain(&listed);
    let record = listed.find(&arguments.job)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&record.view())?);
    } else {
        print!("{}", text(record));
    }
    Ok(Exit::Complete)
}

fn text(record: &Record) -> String {
    let state = record.state();
    let mut lines = vec![("job", format!("{} ({})", record.id, record.kind.word()))];
    let code = record.exit_code.map_or_else(String::new, |code| format!(", exit code {code}"));
    let host = record.elsewhere().map_or_else(String::new, |host| format!(" on {host}"));
    lines.push(("state", format!("{}{host}{code}", state.word())));
    lines.push(("pipelines", record.pipelines.join(", ")));
    lines.push(("command", shown(&record.command)));
    lines.push(("given in", record.directory.display().to_string()));
    for folder in &record.folders {
        lines.push(("folder", folder.display().to_string()));
    }
    let again = match record.starts {
        0 | 1 => String::new(),
        starts => format!(", start {starts} of it"),
    };
    lines.push(("started", format!("{}{again}", record.started)));
    if let Some(ended) = &record.ended {
        lines.push(("ended", ended.clone()));
    }
    lines.push(("time", time(record)));
    if let Some(trials) = record.trials {
        lines.push(("trials", format!("{} of {}", trials.done, trials.of)));
    }
    lines.push(("records", counted(&record.counts)));
    let life = |life: Option<Life>| life.map_or("cannot be seen from here", Life::word);
    let supervisor = record.supervisor.pid;
    lines.push(("supervisor", format!("{supervisor} {}", life(record.supervisor_life()))));
    lines.push(("workers", workers(record)));
    for worker in &record.workers {
        let what = life(record.life(worker.process));
        lines.push(("", format!("{} {}  {} {what}", worker.of, worker.index, worker.process.pid)));
    }
    lines.iter().map(|(name, text)| format!("{name:<11} {text}\n")).collect()
}

fn workers(record: &Record) -> String {
    match (record.workers.len(), record.elsewhere()) {
        (0, _) => "none".to_owned(),
        (all, Some(_)) => all.to_string(),
        (all, None) => format!("{all}, of which {} live", record.living().len()),
    }
}
