//! Whether a call that failed is sent once more, and when.
//!
//! Puts the rules of [`retry`](crate::retry) together: what the failure means, how many tries there
//! were, what its kind costs the budget, and what the servers asked for.

use rand::Rng;

use crate::retry::{Disposition, Failure, RetryBudget, RetryPolicy};

use super::Failed;
use super::settings::SHED_FACTOR;

/// Tries of one call so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// All of them, second tries beside a first included.
    pub made: u32,
    /// Those among them that a server shed.
    pub shed: u32,
}

/// The question.
#[derive(Debug, Clone, Copy)]
pub struct Repeat {
    /// How the last try failed.
    pub failed: Failed,
    /// Tries so far.
    pub tries: Tries,
    /// How long every server asks to be left alone, nanoseconds; see
    /// [`shortest_hold_ns`](super::shortest_hold_ns).
    pub held_ns: u64,
    /// Time that is left to the call, nanoseconds.
    pub left_ns: u64,
}

impl Repeat {
    /// How long to wait before the next try, nanoseconds; `None` is to give up. What is told here is
    /// booked with `budget`.
    pub fn delay_ns(
        self,
        policy: &RetryPolicy,
        budget: &mut RetryBudget,
        now_ns: u64,
        rng: &mut impl Rng,
    ) -> Option<u64> {
        let Repeat { failed, tries: Tries { made, shed }, held_ns, left_ns } = self;
        let attempt = match failed.disposition() {
            Disposition::Terminal => return None,
            Disposition::Shed if shed > policy.max.saturating_mul(SHED_FACTOR) => return None,
            Disposition::Shed => shed.min(policy.max),
            Disposition::Retry => made.saturating_sub(shed),
        };
        let failure = Failure { class: failed.class, retry_after_ns: Some(held_ns) };
        let delay_ns = policy.next_delay(attempt, failure, left_ns, rng)?;
        let budgeted_ns = if failed.is_shed() { 0 } else { budget.reserve(now_ns, left_ns)? };
        Some(delay_ns.max(budgeted_ns)).filter(|&delay_ns| delay_ns < left_ns)
    }
}
