//! The vocabulary of sage-flow and every decision it takes, as pure state machines.
//!
//! **Invariant: nothing here reads a clock, draws randomness, opens a file or starts a thread.**
//! Time and random generators come in as arguments, verdicts go out. The live engine, the embedded
//! simulator and the twin drive the same objects, which is why their results can be compared.
//!
//! **Invariant: no timely, no tokio, no HTTP.** An endpoint and an index are traits here; the
//! crates that speak to the outside implement them.

#![deny(clippy::disallowed_methods)]

pub mod arrivals;
pub mod batcher;
pub mod distribution;
pub mod endpoint;
pub mod event;
pub mod expr;
pub mod fair;
pub mod hedge;
pub mod index;
pub mod limit;
pub mod limiter;
pub mod metrics;
pub mod policies;
pub mod record;
pub mod replica;
pub mod retry;
pub mod schedule;
pub mod secrets;
pub mod service;
pub mod text;
pub mod unpack;
pub mod upstream;
pub mod vllm;
pub mod web;
