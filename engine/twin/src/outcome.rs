//! `Outcome`: what a run leaves besides its events, and `Limits`: how far it may go.

use crate::model::{Job, Model, Work};
use crate::station::StationStats;

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// When the last job was over, nanoseconds of virtual time.
    pub end_ns: u64,
    /// Measurement events that were handed out.
    pub events: u64,
    /// Steps of the simulation: activations of operators and things that happened by themselves.
    pub steps: u64,
    /// The jobs, in order.
    pub jobs: Vec<JobOutcome>,
    /// The endpoints, in order.
    pub endpoints: Vec<StationStats>,
    /// The nodes, in order.
    pub nodes: Vec<NodeUse>,
    /// Processor time of sources, schedulers and what stands before them, all jobs together; part of
    /// the first node's.
    pub coordinator_busy_ns: u64,
    /// Processor time of the gateway's thread.
    pub gateway_busy_ns: u64,
    /// How often a policy named a node that was down, full or not there.
    pub violations: u64,
}

/// One job of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOutcome {
    /// Its name.
    pub name: String,
    /// When it began.
    pub started_ns: u64,
    /// When the last of its tasks had its outcome; when it began if there was none.
    pub finished_ns: u64,
    /// Its tasks.
    pub tasks: u64,
}

/// One node of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeUse {
    /// Processor time of its dataflow threads, all jobs together, nanoseconds of a whole core.
    pub cpu_busy_ns: u64,
}

/// How far a run may go before it counts as one that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most steps of the simulation.
    pub steps: u64,
}

impl Limits {
    /// A bound that no run of `model` that ends should come near: tens of times what its records and
    /// tokens ask for.
    pub fn of(model: &Model) -> Self {
        let steps = model.jobs.iter().map(of_job).fold(0_u64, u64::saturating_add);
        Limits { steps: steps.saturating_add(10_000_000) }
    }
}

fn of_job(job: &Job) -> u64 {
    let tokens = |work: &Work| match work {
        Work::Generate { max_tokens, target_tokens, .. } => {
            u64::from((*max_tokens).min(*target_tokens))
        }
        _ => 0,
    };
    let tokens = job.demands.iter().flat_map(|demand| &demand.work).map(tokens).max().unwrap_or(0);
    let of_record = 1_000 + 200 * job.stages.len() as u64 + 50 * tokens;
    job.records.saturating_mul(of_record)
}
