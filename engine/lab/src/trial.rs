//! A trial: one combination of settings, once; and what runs it.

mod expand;
mod label;
mod order;
mod settings;

use std::path::Path;

use sage_dsl::experiment::{Arrivals, Backend as Place, NodeFailure};
use sage_dsl::types::Value;
use serde::{Deserialize, Serialize};

pub use expand::{DEFAULT_NODES, Design, MOST_TRIALS, Overrides, expand};
pub use order::shuffled;

pub(crate) use settings::same_alone;

/// One combination of settings, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Unique within the experiment and fit for the name of a folder: `policy-fifo.rag.r0`.
    pub id: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Dimension and label of each sweep, in order; of jobs that run in turn, `job` comes first.
    pub point: Vec<(String, String)>,
    /// Number of the repeat, from 0.
    pub repeat: u32,
    /// Seed of this repeat, the same for every combination.
    pub seed: u64,
    /// The jobs; several run at the same time.
    pub jobs: Vec<TrialJob>,
    /// Whether the gateway shares the endpoints fairly between the jobs.
    pub fair: bool,
    /// Relative speeds of the nodes, repeated over them; empty means equal.
    pub speeds: Vec<f64>,
    /// Nodes that are lost on the way.
    pub failures: Vec<NodeFailure>,
    /// Whether it is a job of a `together` experiment run alone, to compare with.
    pub solo: bool,
}

/// One job of a trial. What is `None` is as its program says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialJob {
    /// Name in the experiment.
    pub name: String,
    /// Flow.
    pub flow: String,
    /// File of the flow.
    pub file: String,
    /// Params to set.
    pub params: Vec<(String, Value)>,
    /// Records.
    pub tasks: Option<u64>,
    /// Worker processes.
    pub nodes: u32,
    /// Tasks of a worker at once.
    pub slots: Option<u32>,
    /// Policy and its arguments.
    pub policy: Option<(String, Vec<(String, Value)>)>,
    /// Calls in flight; the inner `None` is `auto`.
    pub concurrency: Option<Option<u32>>,
    /// URL of every endpoint.
    pub endpoint: Option<String>,
    /// How records arrive.
    pub arrivals: Arrivals,
    /// When it starts, nanoseconds after the first job.
    pub start_ns: u64,
    /// Weight at the gateway.
    pub share: f64,
    /// A task not dispatched within this time is late.
    pub deadline_ns: Option<u64>,
    /// Most tasks in the central queue.
    pub queue: Option<u32>,
}

/// Why a trial has no result. The suite goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// This backend cannot do what the trial asks.
    #[error("not possible on this backend: {0}")]
    NotPossible(String),
    /// It broke off.
    #[error("{0}")]
    Failed(String),
    /// The user has had enough: the suite stops.
    #[error("interrupted")]
    Interrupted,
}

/// Something that runs trials.
pub trait Backend {
    /// Which one it is.
    fn place(&self) -> Place;

    /// Run `trial` and leave, for each job, a folder `folder/<job>/` with what a run writes
    /// (`metrics.json`, `tasks.csv`, `setup.json`, ...). All processes it started have ended when
    /// this returns.
    ///
    /// Times in a job's `tasks.csv` count from the beginning of that job's own run. Of jobs that run
    /// together, the field `offset_s` of `metrics.json` says when that was, in seconds after the
    /// beginning of the first; without the field it is taken to be `start_ns`.
    fn run(&mut self, trial: &Trial, folder: &Path) -> Result<(), TrialError>;
}
