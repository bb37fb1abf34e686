//! The digital twin: what a run would do, computed in virtual time.
//!
//! ```text
//! arrivals -> Scheduler (policy) -> node: slots, thread, batches -> Station: line, limiter, servers
//!                 ^                          |                          |
//!                 '------- completion -------+---- Event -> caller ---- '
//! ```
//!
//! **The decisions are not modelled, they are taken**: scheduler, policies, batcher, fair queue,
//! limiter, retries and the vLLM model are the objects of `sage-core` that the live engine and the
//! simulator drive by the wall clock. What is modelled is only what those objects wait for: how long
//! a stage computes, how long a message travels.
//!
//! **Invariants**: no clock, no I/O, no threads; the same model and seed give the same events, byte
//! for byte; memory goes by what is in flight, not by the number of tasks.
//!
//! | file | |
//! |---|---|
//! | `model.rs`, `check/` | what is run, and what it must fulfil |
//! | `agenda.rs` | what happens when |
//! | `host.rs` | cores that threads share |
//! | `thread.rs`, `operators/` | a dataflow thread and what its operators do to tasks |
//! | `coordinator.rs` | a job's scheduler and source |
//! | `gateway.rs`, `station/` | the way to an endpoint, and the endpoint |
//! | `failures.rs` | nodes that are lost |
//! | `world.rs`, `traffic.rs` | the loop, and what travels |

#![deny(clippy::disallowed_methods)]

mod agenda;
mod check;
mod coordinator;
mod error;
mod failures;
mod gateway;
mod host;
mod layout;
mod log;
pub mod model;
mod operators;
mod outcome;
pub mod station;
mod task;
mod thread;
mod traffic;
mod world;

use sage_core::event::Event;

pub use error::TwinError;
pub use model::Model;
pub use outcome::{JobOutcome, Limits, Lost, NodeUse, Outcome};

/// Run `model` and hand every event to `observe`, in the order in which they become known; an
/// arrival may become known later than it happened, as in the live engine.
///
/// A `sage_core::metrics::Recorder` makes of the events what it makes of those of a live run.
pub fn simulate(model: &Model, observe: &mut dyn FnMut(&Event)) -> Result<Outcome, TwinError> {
    simulate_within(model, Limits::of(model), observe)
}

/// The same within a bound of the caller's choice.
pub fn simulate_within(
    model: &Model,
    limits: Limits,
    observe: &mut dyn FnMut(&Event),
) -> Result<Outcome, TwinError> {
    check::check(model)?;
    world::World::new(model, limits, observe)?.run()
}

/// Check all of a model but what policies and endpoints say of themselves when they are built.
pub fn check(model: &Model) -> Result<(), TwinError> {
    check::check(model)
}
