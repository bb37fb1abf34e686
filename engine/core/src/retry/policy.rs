//! When one call is tried again.

use rand::{Rng, RngExt};
use sage_dsl::plan::RetryPlan;

use super::retryable;
use crate::endpoint::ErrorClass;

/// What is known about a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// How it failed.
    pub class: ErrorClass,
    /// The server's `Retry-After`, nanoseconds.
    pub retry_after_ns: Option<u64>,
}

/// Exponential backoff with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries after the first.
    pub max: u32,
    /// Upper bound of the first wait, nanoseconds; it doubles with each try.
    pub base_ns: u64,
    /// Upper bound of any wait, nanoseconds.
    pub cap_ns: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPlan::default().into()
    }
}

impl From<RetryPlan> for RetryPolicy {
    fn from(plan: RetryPlan) -> Self {
        let ns = |value: i64| u64::try_from(value).unwrap_or(0);
        RetryPolicy { max: plan.max, base_ns: ns(plan.base_ns), cap_ns: ns(plan.cap_ns) }
    }
}

impl RetryPolicy {
    /// How long to wait before the next try; `None` is to give up.
    ///
    /// `attempt` counts the tries made so far (1 after the first), `deadline_left_ns` is what is
    /// left of the call's total time.
    ///
    /// ```
    /// use rand::SeedableRng;
    /// use sage_core::endpoint::ErrorClass;
    /// use sage_core::retry::{Failure, RetryPolicy};
    ///
    /// let policy = RetryPolicy { max: 2, base_ns: 1_000, cap_ns: 10_000 };
    /// let mut rng = rand_pcg::Pcg32::seed_from_u64(1);
    /// let busy = Failure { class: ErrorClass::Throttled, retry_after_ns: Some(5_000) };
    /// let wait = policy.next_delay(1, busy, 1_000_000, &mut rng);
    /// assert!((5_000..=6_000).contains(&wait.expect("there is time")));
    /// assert_eq!(policy.next_delay(3, busy, 1_000_000, &mut rng), None);
    /// ```
    pub fn next_delay(
        &self,
        attempt: u32,
        failure: Failure,
        deadline_left_ns: u64,
        rng: &mut impl Rng,
    ) -> Option<u64> {
        if !retryable(failure.class) || attempt > self.max {
            return None;
        }
        let jitter = rng.random_range(0..=self.ceiling(attempt));
        // The jitter comes on top of `Retry-After`: everyone was told the same moment.
        let delay = jitter.saturating_add(failure.retry_after_ns.unwrap_or(0));
        (delay < deadline_left_ns).then_some(delay)
    }

    /// Longest jitter after `attempt` tries.
    fn ceiling(&self, attempt: u32) -> u64 {
        let doublings = attempt.saturating_sub(1).min(63);
        self.base_ns.saturating_mul(1 << doublings).min(self.cap_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg32;

    proptest! {
        #[test]
        fn a_delay_keeps_every_promise(
            max in 0u32..8,
            base_ns in 0u64..1_000_000,
            cap_ns in 0u64..10_000_000,
            attempt in 1u32..200,
            class in 0usize..8,
            retry_after_ns in proptest::option::of(0u64..20_000_000),
            left in 0u64..30_000_000,
            seed: u64,
        ) {
            let policy = RetryPolicy { max, base_ns, cap_ns };
            let failure = Failure { class: ErrorClass::ALL[class], retry_after_ns };
            let mut rng = Pcg32::seed_from_u64(seed);
            if let Some(delay) = policy.next_delay(attempt, failure, left, &mut rng) {
                let floor = retry_after_ns.unwrap_or(0);
                prop_assert!(delay < left);
                prop_assert!(delay >= floor);
                prop_assert!(delay <= floor + cap_ns);
                prop_assert!(attempt <= max);
                prop_assert!(retryable(ErrorClass::ALL[class]));
            }
        }
    }

    #[test]
    fn full_jitter_spreads_over_the_whole_interval() {
        let policy = RetryPolicy { max: 4, base_ns: 1_000, cap_ns: 4_000 };
        let failure = Failure { class: ErrorClass::Server, retry_after_ns: None };
        let mut rng = Pcg32::seed_from_u64(7);
        let delays: Vec<u64> =
            (0..400).filter_map(|_| policy.next_delay(2, failure, u64::MAX, &mut rng)).collect();
        assert_eq!(delays.len(), 400);
        assert!(delays.iter().any(|&delay| delay < 200));
        assert!(delays.iter().any(|&delay| delay > 1_800));
        assert!(delays.iter().all(|&delay| delay <= 2_000));
    }
}
