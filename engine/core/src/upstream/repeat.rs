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
    /// Whether the server that failed the try is held to be down.
    pub down: bool,
    /// Time that is left to the call, nanoseconds.
    pub left_ns: u64,
}

impl Repeat {
    /// Whether the retry costs nothing of the budget: the server shed the try, or it is down and cut
    /// off what it had. The budget keeps retries from adding to the load of a server that works in
    /// part; one that is gone has lost all of its load, once, and its calls wait until a trial has
    /// found it again. Whoever wants no retries wants none of these either.
    fn is_free(self, budget: &RetryBudget) -> bool {
        self.failed.is_shed() || (self.down && self.failed.is_cut() && !budget.is_none())
    }

    /// How long to wait before the next try, nanoseconds; `None` is to give up. What is told here is
    /// booked with `budget`.
    pub fn delay_ns(
        self,
        policy: &RetryPolicy,
        budget: &mut RetryBudget,
        now_ns: u64,
        rng: &mut impl Rng,
    ) -> Option<u64> {
        let Repeat { failed, tries: Tries { made, shed }, held_ns, left_ns, .. } = self;
        let attempt = match failed.disposition() {
            Disposition::Terminal => return None,
            Disposition::Shed if shed > policy.max.saturating_mul(SHED_FACTOR) => return None,
            Disposition::Shed => shed.min(policy.max),
            Disposition::Retry => made.saturating_sub(shed),
        };
        let failure = Failure { class: failed.class, retry_after_ns: Some(held_ns) };
        let delay_ns = policy.next_delay(attempt, failure, left_ns, rng)?;
        let budgeted_ns = if self.is_free(budget) { 0 } else { budget.reserve(now_ns, left_ns)? };
        Some(delay_ns.max(budgeted_ns)).filter(|&delay_ns| delay_ns < left_ns)
    }
}
