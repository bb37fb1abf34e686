//! `experiment`: list experiments, run them, make their reports again, compare results.

mod compare;
mod hints;
mod list;
mod report;
mod run;

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::compare::comparison;
pub(super) use self::list::lines;
use self::run::RunArguments;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  sage-flow experiment list
  sage-flow experiment all --on twin
  sage-flow experiment run exp2b
  sage-flow experiment run exp1 --on twin --nodes 1,64,1024 --tasks 100000
  sage-flow experiment run my.sage --on sim,twin --quick --out compared
  sage-flow experiment run exp2b --scheduler 'fifo, priority(aging: 5s)' --repeat 3
  sage-flow experiment run exp2b --on live --endpoint http://127.0.0.1:8000
  sage-flow experiment report results/exp2b/2026-03-01-101010-node7-sim
  sage-flow experiment compare results/exp2b/A results/exp2b/B
  sage-flow experiment fidelity exp2b --quick

Backends (--on): twin is virtual time and takes seconds, sim is worker processes and a simulated
endpoint, live is worker processes and the endpoint of the program. One that was stopped goes on
when the same command is given again.

Exit codes:
  0 everything ran   1 usage or check error   2 a part failed; it is named   3 a claim does not hold
  (with --strict)   130 interrupted";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExperimentArguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show every experiment: its question, its trials, where it runs, its last result
    #[command(after_help = "Example:\n  sage-flow experiment list --json")]
    List {
        /// Folder with the experiments
        #[arg(value_name = "DIR", default_value = crate::experiment::FOLDER)]
        folder: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run experiments and write their reports
    #[command(after_help = EXAMPLES)]
    Run(Box<RunArguments>),
    /// Run all experiments: short for `run all`
    #[command(
        after_help = "Examples:\n  sage-flow experiment all --on twin\n  sage-flow experiment all --quick --on sim,twin --out compared"
    )]
    All(Box<AllArguments>),
    /// Make the report of a folder again, from what its runs left
    #[command(after_help = "Example:\n  sage-flow experiment report results/exp2b/*-sim")]
    Report {
        /// Folders of results
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        /// No tables
        #[arg(long, short)]
        quiet: bool,
    },
    /// Set two results of one experiment side by side: backends, commits, machines
    #[command(
        after_help = "Example:\n  sage-flow experiment compare results/exp2b/A results/exp2b/B --out compared"
    )]
    Compare {
        /// Folder of the first results
        #[arg(value_name = "DIR")]
        first: PathBuf,
        /// Folder of the second
        #[arg(value_name = "DIR")]
        second: PathBuf,
        /// Write comparison and fidelity as files into this folder
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run on sim and on the twin of this machine, and say how far the twin is off
    #[command(after_help = "Example:\n  sage-flow experiment fidelity exp2b --repeat 5")]
    Fidelity(Box<RunArguments>),
}

#[derive(Debug, Args)]
pub(crate) struct AllArguments {
    #[command(flatten)]
    how: run::How,
}

pub(crate) fn experiment(arguments: ExperimentArguments) -> anyhow::Result<Exit> {
    match arguments.verb {
        Verb::List { folder, json } => list::list(&folder, json),
        Verb::Run(arguments) => run::run(&arguments.what, &arguments.how),
        Verb::All(arguments) => run::run(&["all".to_owned()], &arguments.how),
        Verb::Report { folders, quiet } => report::report(&folders, quiet),
        Verb::Compare { first, second, out, json } => {
            compare::compare(&first, &second, out.as_deref(), json)
        }
        Verb::Fidelity(arguments) => compare::fidelity(&arguments.what, &arguments.how),
    }
}
