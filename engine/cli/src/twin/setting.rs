//! What is to be simulated: jobs with their plans, and the cluster they share.

use std::path::PathBuf;

use sage_core::vllm::Profile;
use sage_dsl::experiment::{Arrivals, NodeFailure};
use sage_dsl::plan::Plan;

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct TwinJob {
    /// Its name, which no other job of the run has.
    pub(crate) name: String,
    /// File of its program.
    pub(crate) program: PathBuf,
    /// Its plan, with all that was changed in it.
    pub(crate) plan: Plan,
    /// Nodes it uses, from the first on.
    pub(crate) workers: usize,
    /// Exactly so many records.
    pub(crate) tasks: Option<u64>,
    /// At most so many records.
    pub(crate) limit: Option<u64>,
    /// How records arrive; all at once otherwise.
    pub(crate) arrivals: Option<Arrivals>,
    /// Its part of an endpoint that other jobs want, too, against theirs.
    pub(crate) share: f64,
    /// It begins so long after the first.
    pub(crate) start_ns: u64,
}

/// The machines.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cluster {
    /// All nodes on one host with so many cores; else each node has a host of its own.
    pub(crate) cores: Option<f64>,
    /// Relative speeds of the nodes, repeated over them; empty means equal.
    pub(crate) speeds: Vec<f64>,
    /// Nodes that are lost on the way.
    pub(crate) failures: Vec<NodeFailure>,
}

/// A whole run.
#[derive(Debug, Clone)]
pub(crate) struct TwinRun {
    pub(crate) jobs: Vec<TwinJob>,
    pub(crate) seed: u64,
    /// Whether jobs share endpoints by their shares, or stand in one line.
    pub(crate) fair: bool,
    pub(crate) cluster: Cluster,
    /// What stands in for servers that are not simulated ones.
    pub(crate) profile: Option<Profile>,
}
