//! The station against oracles: recursions of queueing theory, the vLLM model driven by hand, laws
//! that hold for every endpoint.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod analytic;
mod books;
mod common;
mod engine;
mod hedge;
mod laws;
mod limiter;
mod rates;
mod refusals;
mod retry;
mod shares;
