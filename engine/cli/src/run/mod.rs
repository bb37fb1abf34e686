//! Runs, from the supervisor's side: services, indexes, clusters, supervision, reports.
//!
//! ```text
//! JobRun(s) -- execute --> services for all --> one cluster each --> followed --> RunResult(s)
//! ```
//!
//! The same code runs one program for the verb `run`, several at once, and the trials of an
//! experiment; only the verb talks.

pub(crate) mod arrivals;
pub(crate) mod changes;
pub(crate) mod clocks;
mod differences;
pub(crate) mod embedding;
mod execute;
pub(crate) mod facts;
mod follow;
mod gate;
mod generations;
mod identity;
mod index_cache;
pub(crate) mod indexes;
mod interrupt;
pub(crate) mod job;
pub(crate) mod kept_indexes;
pub(crate) mod kept_vectors;
pub(crate) mod launch;
pub(crate) mod links;
mod live;
pub(crate) mod loss;
pub(crate) mod options;
pub(crate) mod print;
pub(crate) mod programs;
mod progress;
pub(crate) mod report;
pub(crate) mod services;
pub(crate) mod serving;
pub(crate) mod shared_folder;
mod together;
mod unanswered;
mod vanished;
pub(crate) mod web;
mod work;

use std::path::{Path, PathBuf};

use anyhow::Context;
use sage_core::expr::Templates;
use sage_core::metrics::Counts;
use sage_dsl::plan::Plan;
use sage_retrieval::documents::Corpus;
use serde_json::Value;

pub(crate) use self::execute::{Executed, Session, Stopped, Talk, execute};
pub(crate) use self::index_cache::IndexCache;
pub(crate) use self::indexes::Built;
pub(crate) use self::interrupt::{Interrupts, ignored};
use self::options::Options;
pub(crate) use self::report::LOCK;
pub(crate) use self::together::{journal_of, parse_stagger, together};
use crate::exit::{Exit, usage};

/// Supervisor and workers must be the same build.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A job that is to be run.
#[derive(Debug, Clone)]
pub(crate) struct JobRun {
    /// Its name, which no other job of the run has.
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) options: Options,
    /// Its part of an endpoint that other jobs want, too, against theirs.
    pub(crate) share: f64,
    /// Its records begin to arrive so long after those of the first job.
    pub(crate) start_ns: u64,
    /// Its indexes, if they were built before.
    pub(crate) indexes: Option<Vec<Built>>,
}

impl JobRun {
    /// A job by the name of its flow, with an equal share, that begins with the first.
    pub(crate) fn new(plan: Plan, options: Options) -> Self {
        let name = plan.name.clone();
        JobRun { name, plan, options, share: 1.0, start_ns: 0, indexes: None }
    }
}

/// What became of a job.
#[derive(Debug)]
pub(crate) struct RunResult {
    pub(crate) exit: Exit,
    /// Records by outcome.
    pub(crate) counts: Counts,
    /// The contents of `metrics.json`.
    pub(crate) metrics: Value,
    /// The contents of `summary.txt`.
    pub(crate) summary: String,
    pub(crate) folder: PathBuf,
    /// What was wrong, besides failed records.
    pub(crate) complaints: Vec<String>,
    /// When its records began to arrive, seconds on the run's clock, if that was said.
    pub(crate) began_s: Option<f64>,
    /// When its workers had ended, likewise.
    pub(crate) ended_s: f64,
}

impl RunResult {
    /// Write `metrics.json` anew.
    pub(crate) fn write_metrics(&self) -> anyhow::Result<()> {
        report::write_json(&self.folder, "metrics.json", &self.metrics)
    }
}

/// Whether a plan can be run on this host: its inputs are there, its outputs have a place, its
/// prompts can be rendered. Said before anything is started; gives the documents of its indexes,
/// which had to be read for it.
pub(crate) fn probe(plan: &Plan) -> anyhow::Result<Vec<Corpus>> {
    probe_all_but_indexes(plan)?;
    indexes::read(plan)
}

pub(crate) fn probe_all_but_indexes(plan: &Plan) -> anyhow::Result<()> {
    sage_dataflow::sinks::probe(plan, &report::OWN_FILES).map_err(usage)?;
    web::probe(plan)?;
    probe_for_twin(plan)
}

/// Whether `out` holds a run that is not finished.
pub(crate) fn is_unfinished(out: &Path) -> bool {
    identity::Identity::is_in(out)
}

/// Whether the run that is not finished in `out` is the same as this one.
pub(crate) fn is_same(job: &JobRun, out: &Path) -> anyhow::Result<bool> {
    let Some(before) = identity::Identity::read(out)? else { return Ok(false) };
    let now = identity::Identity::of(job, &probe(&job.plan)?)?;
    Ok(before.changes(&now).is_empty())
}

/// Whether those outside answer who hold rows of `plan` or take them.
fn reach(plan: &Plan) -> anyhow::Result<()> {
    if let Some(source) = plan.source() {
        sage_dataflow::sources::reach(source).map_err(usage)?;
    }
    sage_dataflow::sinks::reach(plan).map_err(usage)
}

/// The part of it that concerns who writes no rows, and reads documents by himself.
pub(crate) fn probe_for_twin(plan: &Plan) -> anyhow::Result<()> {
    Templates::compile(&plan.templates).map_err(usage)?;
    sage_dataflow::stages::probe(plan).map_err(usage)?;
    if let Some(source) = plan.source() {
        sage_dataflow::sources::probe(source).map_err(usage)?;
    }
    Ok(())
}

/// Run `plan` to its end and report.
pub(crate) fn supervise(plan: Plan, options: &Options) -> anyhow::Result<Exit> {
    let interrupts = Interrupts::listen()?;
    let job = JobRun::new(plan, options.clone());
    let session = Session::alone(&job);
    let executed = match execute(&[job], &session, &interrupts) {
        Err(stopped) if stopped.is::<Stopped>() => {
            eprintln!("{stopped}");
            return Ok(Exit::Interrupted);
        }
        executed => executed?,
    };
    let result = executed.results.into_iter().next().context("the run has no result")??;
    crate::jobs::outcome(result.exit);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&result.metrics)?);
    } else if !options.quiet {
        eprint!("\n{}", result.summary);
    }
    result.complaints.iter().for_each(|complaint| eprintln!("error: {complaint}"));
    Ok(result.exit)
}
