//! Measures an endpoint with a bounded probe, so that a profile can be fitted to it.
//!
//! ```text
//! budget -- plan: cells of (clients, lengths) -- measure: streams, timed by the client -- cells
//!                                                                    |
//!                                 sage_core::vllm::fit <-------------'
//! ```
//!
//! A few cells of closed loops, from one client alone up: alone, a short and a long prompt tell the
//! floor of a step and the price of a prompt token apart; more clients show what a sequence costs.
//! Two cells are held out of the fit and say how far to trust it. **What is spent is bounded before
//! the first request and counted with every answer**; what was measured when the budget, the time or
//! the user's patience ends is kept, cell by cell.
//!
//! Every prompt begins differently, so that no prefix cache answers in the model's place.

mod call;
mod cells;
mod error;
mod http;
mod plan;
mod prompt;

pub use cells::{Measured, Progress, measure};
pub use error::CalibrateError;
pub use plan::{Bounds, Plan, Planned};

/// What to measure.
#[derive(Clone)]
pub struct Target {
    /// Where the endpoint is, with or without `/v1`.
    pub url: String,
    /// The model to ask for; the first one that is served without it.
    pub model: Option<String>,
    /// The key to bring.
    pub api_key: Option<String>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Key and URL, which may carry a password, stay out of logs.
        f.debug_struct("Target").field("model", &self.model).finish_non_exhaustive()
    }
}
