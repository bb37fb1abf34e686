//! When a failed call is tried again, and when an upstream is left alone for a while.
//!
//! Three rules that answer three questions, all pure (time and randomness come in):
//!
//! - [`RetryPolicy`]: *may this call be tried again, and after how long?* Full jitter, so that calls
//!   that failed together do not come back together; the server's `Retry-After` is a lower bound;
//!   a wait that would outlast the call's deadline is not begun.
//! - [`RetryBudget`]: *may the fleet as a whole afford another retry?* Retries follow the number of
//!   calls, so a failing upstream is never hit with a multiple of its normal load. A retry beyond
//!   the budget is put off, not given up: only its call's deadline ends it.
//! - [`Breaker`]: *is anybody there at all?* While no connection can be made, one probe at a time
//!   asks and everyone else waits for its result. An outage then costs its own length and no
//!   retries, however long it is, as long as the calls' deadlines allow.

use rand::{Rng, RngExt};
use sage_dsl::plan::RetryPlan;

use crate::endpoint::ErrorClass;

const SECOND_NS: u64 = 1_000_000_000;

/// What is known about a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// How it failed.
    pub class: ErrorClass,
    /// The server's `Retry-After`, nanoseconds.
    pub retry_after_ns: Option<u64>,
}

/// Whether a failure of this class may go away by itself.
pub fn retryable(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Unreachable | ErrorClass::Throttled | ErrorClass::Server | ErrorClass::Timeout
    )
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

/// Retries allowed over all calls: a share of the calls, plus a trickle for small or idle runs.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    share: f64,
    floor_per_s: f64,
    cap: f64,
    /// Negative while retries are booked ahead.
    tokens: f64,
    updated_ns: u64,
}

impl RetryBudget {
    /// Retries may be `share` of the calls plus `floor_per_s` a second; at most `burst` at once.
    pub fn new(share: f64, floor_per_s: f64, burst: f64) -> Self {
        RetryBudget { share, floor_per_s, cap: burst, tokens: burst, updated_ns: 0 }
    }

    /// A first try goes out: it earns a share of a retry.
    pub fn on_call(&mut self) {
        self.tokens = (self.tokens + self.share).min(self.cap);
    }

    /// Book one retry. Answers how long it has to be put off, or `None` (and books nothing) when
    /// that is longer than `max_wait_ns`.
    pub fn reserve(&mut self, now_ns: u64, max_wait_ns: u64) -> Option<u64> {
        let elapsed = now_ns.saturating_sub(self.updated_ns) as f64 / SECOND_NS as f64;
        self.updated_ns = self.updated_ns.max(now_ns);
        self.tokens = (self.tokens + elapsed * self.floor_per_s).min(self.cap);
        let missing = 1.0 - self.tokens;
        let wait_ns = if missing <= 0.0 {
            0
        } else if self.floor_per_s > 0.0 {
            (missing / self.floor_per_s * SECOND_NS as f64).ceil() as u64
        } else {
            return None;
        };
        if wait_ns > max_wait_ns {
            return None;
        }
        self.tokens -= 1.0;
        Some(wait_ns)
    }
}

/// What a call may do about an upstream that may be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Go ahead.
    Open,
    /// Ask whether the upstream is back, and report with [`Breaker::reached`] or
    /// [`Breaker::unreachable`].
    Probe,
    /// Come back after so many nanoseconds, or when the upstream is reached.
    Wait(u64),
}

/// Holds calls back while no connection to the upstream can be made.
#[derive(Debug, Clone)]
pub struct Breaker {
    base_ns: u64,
    cap_ns: u64,
    /// A probe that does not report within this time is taken for lost.
    lease_ns: u64,
    down: Option<Down>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    since_ns: u64,
    failures: u32,
    next_probe_ns: u64,
    probing: bool,
}

impl Breaker {
    /// Probes are `base_ns` apart at first, then double up to `cap_ns`.
    pub fn new(base_ns: u64, cap_ns: u64, lease_ns: u64) -> Self {
        Breaker { base_ns, cap_ns, lease_ns, down: None }
    }

    /// What a call may do now.
    pub fn pass(&mut self, now_ns: u64) -> Passage {
        match &mut self.down {
            None => Passage::Open,
            Some(down) if now_ns >= down.next_probe_ns => {
                down.probing = true;
                down.next_probe_ns = now_ns.saturating_add(self.lease_ns);
                Passage::Probe
            }
            Some(down) => Passage::Wait(down.next_probe_ns - now_ns),
        }
    }

    /// The upstream answered something. True if it was down until now.
    pub fn reached(&mut self) -> bool {
        self.down.take().is_some()
    }

    /// No connection could be made.
    pub fn unreachable(&mut self, now_ns: u64, rng: &mut impl Rng) {
        let (since_ns, failures) = match self.down {
            // Calls that were under way when the upstream went down all report it; only a probe
            // may lengthen the interval.
            Some(down) if !down.probing => return,
            Some(down) => (down.since_ns, down.failures.saturating_add(1)),
            None => (now_ns, 0),
        };
        let interval = self.base_ns.saturating_mul(1 << failures.min(30)).min(self.cap_ns);
        // Half of the interval is jitter, so that several gateways do not probe in step.
        let wait = interval / 2 + rng.random_range(0..=interval / 2);
        let next_probe_ns = now_ns.saturating_add(wait);
        self.down = Some(Down { since_ns, failures, next_probe_ns, probing: false });
    }

    /// Since when the upstream has been down.
    pub fn down_since_ns(&self) -> Option<u64> {
        self.down.map(|down| down.since_ns)
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

        #[test]
        fn retries_stay_within_the_budget(
            steps in proptest::collection::vec((0u64..200_000_000, 0u32..20, 0u32..20), 1..200),
        ) {
            let (share, floor, burst) = (0.1, 2.0, 10.0);
            let mut budget = RetryBudget::new(share, floor, burst);
            let (mut now, mut calls) = (0u64, 0u32);
            let mut starts = Vec::new();
            for (step, new_calls, wanted) in steps {
                now += step;
                for _ in 0..new_calls {
                    budget.on_call();
                    calls += 1;
                }
                for _ in 0..wanted {
                    if let Some(wait) = budget.reserve(now, 1_000_000_000) {
                        prop_assert!(wait <= 1_000_000_000);
                        starts.push(now + wait);
                    }
                }
                let started = starts.iter().filter(|&&start| start <= now).count() as f64;
                let seconds = now as f64 / 1e9;
                prop_assert!(started <= burst + share * f64::from(calls) + floor * seconds + 1.0);
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

    #[test]
    fn an_exhausted_budget_without_a_trickle_refuses() {
        let mut budget = RetryBudget::new(0.5, 0.0, 1.0);
        assert_eq!(budget.reserve(0, u64::MAX), Some(0));
        assert_eq!(budget.reserve(0, u64::MAX), None);
        budget.on_call();
        budget.on_call();
        assert_eq!(budget.reserve(0, u64::MAX), Some(0));
    }

    #[test]
    fn one_probe_at_a_time_until_the_upstream_is_back() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut breaker = Breaker::new(100, 400, 1_000);
        assert_eq!(breaker.pass(0), Passage::Open);
        breaker.unreachable(0, &mut rng);
        breaker.unreachable(1, &mut rng);
        assert!(matches!(breaker.pass(1), Passage::Wait(1..=100)));
        assert_eq!(breaker.pass(100), Passage::Probe);
        assert_eq!(breaker.pass(101), Passage::Wait(999));
        breaker.unreachable(200, &mut rng);
        assert!(matches!(breaker.pass(200), Passage::Wait(100..=200)));
        assert_eq!(breaker.pass(400), Passage::Probe);
        assert_eq!(breaker.down_since_ns(), Some(0));
        assert!(breaker.reached());
        assert!(!breaker.reached());
        assert_eq!(breaker.pass(401), Passage::Open);
    }

    #[test]
    fn a_lost_probe_is_replaced() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut breaker = Breaker::new(100, 400, 1_000);
        breaker.unreachable(0, &mut rng);
        assert_eq!(breaker.pass(100), Passage::Probe);
        assert_eq!(breaker.pass(1_100), Passage::Probe);
    }
}
