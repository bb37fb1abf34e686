//! Pools of programs of the machine: each answers a line of its standard input,
//! `{"id":7,"value":...}`, with a line of its standard output that has the same id.
//!
//! This is the way out of the language for what it cannot say, in any other language. [`Programs`]
//! is an endpoint like any other to the dataflow, so waiting, deadlines and failures are those of a
//! call. A process lives as long as the run. One that ends, that is silent for too long, or that
//! says what it was not asked for is ended and replaced. The ids are there because lines alone do
//! not say what they answer: a greeting at the start would be taken for the answer to the first
//! record, and every answer for that to the next.
//!
//! Nothing here decides whether programs may be run at all; the command line does.

mod guard;
mod pool;
mod process;
mod starts;

use std::process::Command;
use std::sync::Arc;

pub use guard::guard;
pub use pool::Programs;

/// What the pools have around them.
pub struct Surroundings {
    /// Environment variables that programs do not see.
    pub hidden: Vec<String>,
    /// A command that calls [`guard`] with its standard input, and so ends programs that would be
    /// left behind; without it they end only with the pools.
    pub guard: Option<Command>,
    /// Hears of programs as a whole.
    pub notify: Arc<dyn Fn(Notice) + Send + Sync>,
}

/// Something about a program as a whole; what goes wrong with a line is the outcome of its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody should know.
    Warning(String),
    /// No process of it has ever answered, and no more are started. Its calls are answered with
    /// [`Cancelled`](sage_core::endpoint::ErrorClass::Cancelled), behind this.
    Hopeless(String),
}

/// What can go wrong with the pools as a whole; what goes wrong with a call is its outcome.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The thread or its runtime could not be started.
    #[error("the thread that talks to programs cannot be started: {0}")]
    Start(#[source] std::io::Error),
}
