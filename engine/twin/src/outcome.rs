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
    /// By position among the failures of the model: whether it came to pass before the run was over.
    pub failures_came: Vec<bool>,
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
    /// Processor time of its thread on each of its nodes, nanoseconds of a whole core.
    pub cpu_busy_ns: Vec<u64>,
    /// What it lost, by position among the failures of the model.
    pub lost: Vec<Lost>,
}

/// Work of a job that came to nothing because a node was lost. No task counts it as its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Attempts at tasks that had begun on the node, and begin anew.
    pub attempts: u64,
    /// For how long they had been in its slots, nanoseconds, all together.
    pub busy_ns: u64,
    /// Calls answered, until the end of the run, to somebody who was lost.
    pub answers: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Tokens that were generated for them.
    pub completion_tokens: u64,
}

impl Lost {
    /// An answer fell away.
    pub(crate) fn answer(&mut self, tokens: &[(u32, u32)]) {
        self.answers += 1;
        for (prompt, completion) in tokens {
            self.prompt_tokens += u64::from(*prompt);
            self.completion_tokens += u64::from(*completion);
        }
    }

    /// What had been in a slot for so long is broken off.
    pub(crate) fn attempt(&mut self, busy_ns: u64) {
        self.attempts += 1;
        self.busy_ns = self.busy_ns.saturating_add(busy_ns);
    }
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
