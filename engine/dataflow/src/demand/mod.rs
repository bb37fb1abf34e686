//! What a plan would do to its records, found out without doing it.
//!
//! ```text
//! source rows --> filters, maps, local stages (evaluated) --> Demand of each record
//!                   calls --> asked of the caller: what would be answered, what would it take
//! ```
//!
//! A sequential interpreter of single records, without timely. **What decides is evaluated, what
//! costs is looked up**: filters, expressions, retrieval and prompts run as they do in a worker, by
//! the same compiled stages, because tokens and outcomes hang on them; the time a stage takes is the
//! one its cost model declares, so that two looks at a plan say the same on every machine. What a
//! call is answered is the caller's business.

mod cost;
mod interpreter;
mod reading;
mod reads;
mod shape;

use std::sync::Arc;

use sage_core::distribution::Drawn;
use sage_core::endpoint::{Answer, CallError, Request};

pub use interpreter::Interpreter;
pub use shape::{Member, Part, Shape, Wait, outline};

/// Which records are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Exactly so many: the source is cut when it is longer and read again when it is shorter.
    pub tasks: Option<u64>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Records of one task.
    pub morsel: usize,
    /// Most records that are evaluated; the others are taken to be like these, in turn.
    pub distinct: usize,
}

/// A call that a record would make.
#[derive(Debug)]
pub struct Question {
    /// Position of the stage.
    pub stage: u16,
    /// Position of the endpoint in the plan.
    pub endpoint: usize,
    /// What is asked, with one item.
    pub request: Request,
}

/// Says what a call would be answered, and what it takes; or how it would be refused.
pub type Answering<'f, C> = dyn FnMut(&Question) -> Result<(Answer, C), CallError> + 'f;

/// What a record asks of one stage.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Work<C> {
    /// Nothing.
    #[default]
    None,
    /// Computing, nanoseconds.
    Cpu(u64),
    /// Computing for a time that every task draws, also those that are taken to be like this one.
    Drawn(Arc<Drawn>),
    /// Waiting for a timer, nanoseconds.
    Wait(u64),
    /// Calls one after the other: the first, and those that mend an answer that does not fit.
    Calls(Vec<C>),
}

/// What a record asks for on its way through the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand<C> {
    /// Priority, higher first.
    pub priority: i64,
    /// Expected service time behind the scheduling operator, where the cost models tell.
    pub expected_ns: Option<u64>,
    /// The same along the longest chain of stages.
    pub critical_ns: Option<u64>,
    /// Wanted so long after its arrival.
    pub due_ns: Option<u64>,
    /// Whose it is; 0 where the plan does not say.
    pub flow: u64,
    /// What it has in common with others; 0 where the plan does not say.
    pub affinity: u64,
    /// Where it is dropped or fails, if it does.
    pub end: Option<End>,
    /// By position of the stage.
    pub work: Vec<Work<C>>,
}

/// A record that does not reach the end of the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The last stage it passed or failed in; `None` before the first.
    pub stage: Option<u16>,
    /// Whether it ends before the scheduling operator.
    pub before: bool,
    /// Whether it passed all stages and failed where it was to be written.
    pub emitted: bool,
    /// Why it failed; a record that a filter drops has none.
    pub failure: Option<String>,
}

/// All records of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Demands<C> {
    /// Records that come in, without rows that cannot be read.
    pub records: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// Records that come too late for their window.
    pub late: u64,
    /// Records that the source leaves out.
    pub left_out: u64,
    /// Record `n` is like `demands[n % demands.len()]`.
    pub demands: Vec<Demand<C>>,
}
