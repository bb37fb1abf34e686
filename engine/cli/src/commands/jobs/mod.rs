//! `jobs`: the runs, retries and experiments of this user on this machine, as the state directory
//! knows them.

mod cancel;
mod cleanup;
mod list;
mod resume;
mod status;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::cancel::CancelArguments;
use self::cleanup::CleanupArguments;
use self::list::ListArguments;
use self::resume::ResumeArguments;
use self::status::StatusArguments;
use crate::exit::Exit;
use crate::jobs::{Listed, Unread};

const EXAMPLES: &str = "\
Examples:
  sage-flow jobs list
  sage-flow jobs list --all --json
  sage-flow jobs status rag-7k2m
  sage-flow jobs status results/runs/rag-2026-11-27-101500
  sage-flow jobs cancel rag-7k2m
  sage-flow jobs cancel rag-7k2m llm-x4tz --now --timeout 10s
  sage-flow jobs resume rag-7k2m
  sage-flow jobs cleanup --yes

A job is named by its id, the beginning of its id, or a folder it writes to.
What is known of jobs is in $SAGE_STATE_DIR, else $XDG_STATE_HOME/sage-flow, else
~/.local/state/sage-flow.

States: running, stopping, complete, incomplete (dead or late records), failed, interrupted, and
lost: its supervisor is gone and has not said how it ended.

Exit codes:
  0 done   1 usage error, no such job   2 it could not be done   and those of `run` for `resume`";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct JobsArguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what runs, and what ran last
    List(ListArguments),
    /// Show one job in full
    Status(StatusArguments),
    /// Ask jobs to stop, and wait until they have
    Cancel(CancelArguments),
    /// Give the command of a job again, in the same folder
    Resume(ResumeArguments),
    /// End the leftover workers of lost jobs, and forget the jobs that have ended
    Cleanup(CleanupArguments),
}

pub(crate) fn jobs(arguments: &JobsArguments) -> anyhow::Result<Exit> {
    match &arguments.verb {
        Verb::List(arguments) => list::list(arguments),
        Verb::Status(arguments) => status::status(arguments),
        Verb::Cancel(arguments) => cancel::cancel(arguments),
        Verb::Resume(arguments) => resume::resume(arguments),
        Verb::Cleanup(arguments) => cleanup::cleanup(arguments),
    }
}

/// Say which files tell nothing of a job.
fn complain(listed: &Listed) {
    for Unread { id, path, reason, newer } in &listed.unread {
        let hint = match () {
            () if *newer => String::new(),
            () if path.is_dir() => "; move or remove it by hand".to_owned(),
            () => format!("; `sage-flow jobs cleanup {id}` removes it"),
        };
        eprintln!("warning: `{}`: {reason}{hint}", path.display());
    }
}

/// The same for programs.
fn unread(listed: &Listed) -> Value {
    let shown = |unread: &Unread| json!({"id": unread.id, "file": unread.path, "reason": unread.reason, "newer": unread.newer});
    Value::Array(listed.unread.iter().map(shown).collect())
}

/// `3 workers`, `1 worker`.
fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
