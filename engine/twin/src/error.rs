//! `TwinError`: what cannot be simulated, and where in the model it stands.

use sage_core::policies::PolicyError;

use crate::station::StationError;

/// Why a model has no outcome.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TwinError {
    /// The model contradicts itself.
    #[error("{place}: {message}")]
    Model {
        /// What is wrong: `job `rag``, `node 3`.
        place: String,
        /// What is wrong with it and how to mend it.
        message: String,
    },
    /// A job's policy cannot be built.
    #[error("job `{job}`: {source}")]
    Policy {
        /// Name of the job.
        job: String,
        /// Why not.
        source: PolicyError,
    },
    /// An endpoint cannot be simulated.
    #[error(transparent)]
    Endpoint(#[from] StationError),
    /// The first node is lost for good.
    #[error(
        "failure {failure}: node 0 is lost for good, and every job has its source and its scheduler \
         there; say for how long it is away, or let another node fail"
    )]
    FirstNodeLost {
        /// Position among the failures.
        failure: usize,
    },
    /// Nothing can happen any more, and still there are tasks.
    #[error(
        "job `{job}` cannot end: {open} tasks are open at {at_ns} ns and nothing is left that could \
         move them"
    )]
    Stuck {
        /// Name of the first such job.
        job: String,
        /// Its tasks without an outcome.
        open: u64,
        /// When.
        at_ns: u64,
    },
    /// The run went over its bound of steps.
    #[error(
        "the run did not end within {steps} steps of the simulation; it stands at {at_ns} ns of \
         virtual time with {open} tasks open. Is the load beyond what the nodes and endpoints can do?"
    )]
    TooLong {
        /// The bound.
        steps: u64,
        /// Where the virtual clock stood.
        at_ns: u64,
        /// Tasks without an outcome, all jobs together.
        open: u64,
    },
}
