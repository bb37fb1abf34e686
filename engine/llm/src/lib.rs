//! Everything that speaks HTTP: the workers' client, the gateway, the vLLM simulator.
//!
//! **Invariant: tokio lives here and in the binary only; nothing here knows timely.** Decisions
//! (limits, retries, the vLLM step model) are the pure objects of `sage-core`; this crate gives
//! them the wall clock and sockets.

pub mod calibrate;
pub mod client;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod journal;
pub mod simulator;
mod usage;
pub mod vectors;
