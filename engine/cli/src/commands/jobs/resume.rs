//! `jobs resume`: give the command of a job again, in the same directory and into the same folder.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use clap::Args;

use crate::exit::{Exit, usage};
use crate::jobs::{Kind, RESUMED, Record, State, Store, again, counted, shown, silent};

const EXAMPLES: &str = "\
Examples:
  sage-flow jobs resume rag-7k2m
  sage-flow jobs resume results/runs/rag-2026-11-27-101500 --json

The command is given again as it was, but into the folder that it wrote to, and without --fresh.
Variables of the environment are those of now. A job that runs is left alone, and so is one that is
complete, or that has only dead or late records left.

Exit codes: those of the verb that is given again; 0 if it was complete, 3 if it was incomplete";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ResumeArguments {
    /// The job's id, the beginning of it, or a folder it writes to
    #[arg(value_name = "ID|FOLDER")]
    job: String,
    /// Print metrics.json at the end, as the verb itself with --json; of a complete job its state
    #[arg(long)]
    json: bool,
}

pub(super) fn resume(arguments: &ResumeArguments) -> anyhow::Result<Exit> {
    let listed = Store::open()?.all()?;
    let named = listed.find(&arguments.job)?;
    // Another job may have gone on in its folder since.
    let last = named.folders.first().and_then(|folder| listed.of_folder(folder));
    let record = last.unwrap_or(named);
    let id = &record.id;
    let instead =
        if record.id == named.id { String::new() } else { format!("{} went on as ", named.id) };
    if let Some(host) = record.elsewhere() {
        return Err(usage(format!("{instead}job {id} is on {host}; resume it there")));
    }
    let nothing_left = record.counts.tasks_pending == 0;
    match record.state() {
        State::Running | State::Stopping => {
            let pid = record.supervisor.pid;
            return Err(usage(format!("{instead}job {id} still runs, as process {pid}")));
        }
        // It has done all there was to do; once more would replace its results.
        state if state == State::Complete || state == State::Incomplete && nothing_left => {
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&record.view())?);
            } else {
                println!("{instead}{}", finished(record));
            }
            return Ok(if state == State::Complete { Exit::Complete } else { Exit::Incomplete });
        }
        _ => {}
    }
    if let Some(why) = &record.not_again {
        return Err(usage(format!(
            "job {id} cannot be resumed: {why}; give the command yourself, in `{}`:\n  {}",
            record.directory.display(),
            shown(&again(record))
        )));
    }
    go_on(record, arguments.json)
}

/// Why there is nothing to go on with.
fn finished(record: &Record) -> String {
    let failed = record.counts.tasks_dead + record.counts.tasks_late;
    let hint = match record.folders.last() {
        Some(folder) if failed > 0 && record.kind != Kind::Experiment => {
            let command = ["retry".to_owned(), folder.display().to_string()];
            format!("; `{}` runs its failed records again", shown(&command))
        }
        _ => String::new(),
    };
    let (id, state, counts) = (&record.id, record.state().word(), counted(&record.counts));
    format!("job {id} is {state}, {counts}: nothing to resume{hint}")
}

/// Become that command. This returns only if it cannot be started.
fn go_on(record: &Record, json: bool) -> anyhow::Result<Exit> {
    let directory = &record.directory;
    if !directory.is_dir() {
        return Err(usage(format!(
            "job {} was started in `{}`, which is no folder any more",
            record.id,
            directory.display()
        )));
    }
    if let Some(gone) = record.folders.iter().find(|folder| !folder.is_dir()) {
        return Err(usage(format!(
            "the folder `{}` of job {} is not there any more, so there is nothing to go on with; give \
             the command yourself to begin anew, in `{}`:\n  {}",
            gone.display(),
            record.id,
            directory.display(),
            shown(&again(record))
        )));
    }
    let mut words = again(record);
    if json && !words.iter().any(|word| word == "--json") {
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        words.insert(end, "--json".to_owned());
    }
    if !silent(&words) {
        eprintln!("{}: {}", record.id, shown(&words));
    }
    let program = program()?;
    let error =
        Command::new(&program).args(&words).current_dir(directory).env(RESUMED, &record.id).exec();
    Err(error).with_context(|| format!("cannot start `{}`", program.display()))
}

/// This program, also when its file was replaced meanwhile.
fn program() -> anyhow::Result<std::path::PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let text = program.to_string_lossy();
    Ok(match text.strip_suffix(" (deleted)") {
        Some(replaced) if Path::new(replaced).is_file() => replaced.into(),
        _ => program,
    })
}
