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

#![deny(clippy::disallowed_methods)]

pub mod model;
pub mod station;

pub use model::Model;
