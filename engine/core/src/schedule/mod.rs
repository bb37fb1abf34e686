//! Scheduling: which task runs next, and on which worker.
//!
//! ```text
//! arrive --> queue, ordered by Policy::rank --> Policy::place(task, fleet) --> worker
//!              ^ is_full: the source pauses                                      |
//!              '---------------------- complete: one place is free again <------'
//! ```
//!
//! All undispatched work waits in one central queue and is bound to a worker as late as possible.
//! That is why priority, cancelling and re-ordering keep working, why a lost worker costs no more
//! than its window, and why the source feels backpressure without a message of its own.
//!
//! [`Scheduler`] is the state machine; the timely operator drives it with the wall clock, the twin
//! with virtual time. A [`Policy`] only ranks and chooses, on the read-only [`Fleet`].

mod estimates;
mod fleet;
mod key;
mod learned;
mod order;
mod policy;
mod queue;
mod scheduler;
mod task;

pub use estimates::{Declared, Estimates};
pub use fleet::{Fleet, FleetConfig, Worker};
pub use key::key;
pub use learned::{Average, Learned};
pub use policy::{Observation, Policy, Rank, Verdict};
pub use scheduler::{Decision, Outcome, ScheduleError, Scheduler};
pub use task::Task;
