//! When a failed call is tried again, and when an upstream is left alone for a while.
//!
//! One rule a question, all pure (time and randomness come in):
//!
//! - [`Disposition`]: *what does this failure mean?* Try again, ease off, or give up.
//! - [`RetryPolicy`]: *may this call be tried again, and after how long?* Full jitter, so that calls
//!   that failed together do not come back together; the server's `Retry-After` is a lower bound;
//!   a wait that would outlast the call's deadline is not begun.
//! - [`RetryBudget`]: *may the fleet as a whole afford another retry?* Retries follow the number of
//!   calls, so a failing upstream is never hit with a multiple of its normal load. A retry beyond
//!   the budget is put off, not given up: only its call's deadline ends it.
//! - [`Holdoff`]: *has the upstream asked for quiet?* A `Retry-After` concerns the call that was told;
//!   all calls, when refusals come in a row.
//! - [`Breaker`]: *is anybody there, and does it work?* While no connection can be made, or nothing
//!   but failures comes back, one call or probe at a time asks and everyone else waits for its
//!   result. An outage then costs its own length and next to no retries, however long it is, as long
//!   as the calls' deadlines allow.

mod breaker;
mod budget;
mod disposition;
mod holdoff;
mod policy;

pub use breaker::{Breaker, Passage, Trip, UpstreamState};
pub use budget::RetryBudget;
pub use disposition::{Disposition, retryable};
pub use holdoff::{Holdoff, Quiet};
pub use policy::{Failure, RetryPolicy};
