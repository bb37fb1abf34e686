//! Plans rendered as timely and differential dataflows.
//!
//! ```text
//! Plan --segments--> fused and waiting segments --render--> operators --worker--> outcome
//! ```
//!
//! **Invariant: no tokio and no HTTP here.** An endpoint is `sage_core::endpoint::Endpoint`, an
//! index is `sage_core::index::Index`, sockets come ready-made; so the dataflow compiles and is
//! tested without any of them.
//!
//! **Invariant: every task ends exactly once.** A record that fails leaves the task's rows and joins
//! its dead; the task goes on to `complete` with what is left of it.

pub mod arrivals;
mod clock;
mod columns;
pub mod commit;
mod context;
mod cost;
mod decisions;
pub mod demand;
mod dispatcher;
mod error;
mod figures;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod kafka;
mod operators;
mod outlets;
mod outside;
pub mod pod;
mod registry;
mod rehearse;
mod relation;
mod render;
mod seeds;
mod segments;
mod served;
pub mod sinks;
mod socket;
pub mod sources;
pub mod stages;
pub mod task;
mod timeline;
mod wants;
mod worker;

pub(crate) use registry::registry;

pub use clock::{RunClock, VirtualTime};
pub use decisions::DECISIONS;
pub use error::DataflowError;
pub use figures::Figures;
pub use operators::TASKS;
pub use outlets::DEAD_LETTERS;
pub use outside::{Outside, Visit, visits};
pub use rehearse::{World, rehearse};
pub use seeds::seeded;
pub use segments::morsel;
pub use served::{Serving, is_served, serving};
pub use socket::Socket;
pub use timeline::TIMELINE;
pub use worker::{
    Begin, NodeSettings, Progress, Reporter, RunSettings, WorkerOutcome, WorkerSetup, run,
};
