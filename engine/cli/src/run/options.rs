//! How a run is made, besides its plan.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sage_cluster::check_workers;
use sage_dsl::experiment::Arrivals;

use super::arrivals;
use super::launch::Launch;
use super::links::LinkArguments;
use super::loss::OnLoss;
use crate::args::RunArguments;
use crate::exit::usage;

/// A run's options besides the plan.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) program: PathBuf,
    pub(crate) workers: usize,
    /// Where they run.
    pub(crate) launch: Launch,
    pub(crate) threads: usize,
    pub(crate) tasks: Option<u64>,
    pub(crate) limit: Option<u64>,
    /// How records arrive; as fast as they are taken otherwise.
    pub(crate) arrivals: Option<Arrivals>,
    pub(crate) seed: u64,
    /// Output folder, if one was named.
    pub(crate) out: Option<PathBuf>,
    /// Whether a run in the folder that is not finished is given up, and answers that were paid for
    /// are paid again.
    pub(crate) fresh: bool,
    /// What is done when a worker is lost.
    pub(crate) on_loss: OnLoss,
    /// Journal of another run whose paid answers are used too; else the folder's own.
    pub(crate) journal: Option<PathBuf>,
    /// What tasks in flight are given to end after an interrupt.
    pub(crate) drain: Duration,
    pub(crate) quiet: bool,
    pub(crate) json: bool,
    /// Whether a missed objective of the program makes the run incomplete.
    pub(crate) strict_slo: bool,
    /// Whether stages may run programs of the machine.
    pub(crate) allow_exec: bool,
    /// Hosts that `http` stages may speak to.
    pub(crate) allow_http: Vec<String>,
    /// Where a source `http` serves, if not where the program says.
    pub(crate) listen: Option<String>,
    /// How they are connected.
    pub(crate) links: LinkArguments,
}

/// Most dataflow threads of one worker.
const MOST_THREADS: usize = 64;

impl Options {
    pub(crate) fn new(program: &Path, arguments: &RunArguments) -> anyhow::Result<Self> {
        let launch = Launch::new(&arguments.launch, arguments.workers)?;
        let workers = arguments.workers.unwrap_or_else(|| launch.default_workers());
        check_workers(workers).map_err(|error| usage(format!("--workers {workers}: {error}")))?;
        if arguments.threads == 0 || arguments.threads > MOST_THREADS {
            let threads = arguments.threads;
            return Err(usage(format!("--threads {threads}: expected 1 to {MOST_THREADS}")));
        }
        for (name, value) in [("--tasks", arguments.tasks), ("--limit", arguments.limit)] {
            if value == Some(0) {
                return Err(usage(format!(
                    "{name} 0: there would be nothing to do; expected 1 or more"
                )));
            }
        }
        Ok(Options {
            program: program.to_owned(),
            workers,
            launch,
            threads: arguments.threads,
            tasks: arguments.tasks,
            limit: arguments.limit,
            arrivals: match (&arguments.arrivals, &arguments.rate) {
                (Some(text), _) => Some(arrivals::parse(text)?),
                (None, Some(rate)) => Some(arrivals::parse_rate(rate)?),
                (None, None) => None,
            },
            seed: arguments.seed,
            out: arguments.out.clone(),
            fresh: arguments.fresh,
            on_loss: arguments.on_loss,
            journal: None,
            drain: arguments.drain,
            quiet: arguments.quiet,
            json: arguments.json,
            strict_slo: arguments.strict_slo,
            allow_exec: arguments.allow_exec,
            allow_http: arguments.allow_http.clone(),
            listen: arguments.listen.clone(),
            links: arguments.links.clone(),
        })
    }
}
