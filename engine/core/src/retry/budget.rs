//! How many retries all calls together may cause.

const SECOND_NS: u64 = 1_000_000_000;

/// Retries allowed over all calls.
///
/// The promise, at any time after `calls` first tries and `seconds`:
///
/// ```text
/// retries sent <= burst + share * calls + floor_per_s * seconds
/// ```
///
/// Only `share` grows with the load; `floor_per_s` is there so that a retry beyond the share is put
/// off instead of given up, and `burst` for what fails all at once (a restarted server cuts every
/// call it had). Both make the share hollow if they are large against the calls: at 5 calls a second
/// a floor of 10 allows twice as many retries as calls. A floor of [`RetryBudget::FLOOR_PER_S`] and
/// a burst of the concurrency limit keep a run of some thousand calls near its share. With a floor
/// of 0 what is beyond the share is refused. [`allowed`](Self::allowed) is the bound in numbers.
///
/// Booked are failures to [retry](super::Disposition::Retry) only; what the upstream
/// [shed](super::Disposition::Shed) cost it nothing, and a server that is down has lost what it was
/// given (see [`Repeat`](crate::upstream::Repeat)).
///
/// ```
/// use sage_core::retry::RetryBudget;
///
/// let mut budget = RetryBudget::new(0.1, 0.5, 1.0);
/// assert_eq!(budget.reserve(0, u64::MAX), Some(0));
/// // The next has to wait for the trickle, or for ten calls.
/// assert_eq!(budget.reserve(0, 1_000), None);
/// for _ in 0..10 {
///     budget.on_call();
/// }
/// assert_eq!(budget.reserve(0, 1_000), Some(0));
/// assert_eq!(budget.allowed(10, 0), 2.0);
/// ```
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
    /// Retries as a share of the calls, if nobody says otherwise.
    pub const SHARE: f64 = 0.1;

    /// A trickle that ends a queue of put-off retries some time and adds next to nothing to a run
    /// of thousands of calls.
    pub const FLOOR_PER_S: f64 = 0.5;

    /// Retries may be `share` of the calls plus `floor_per_s` a second; at most `burst` at once.
    pub fn new(share: f64, floor_per_s: f64, burst: f64) -> Self {
        RetryBudget { share, floor_per_s, cap: burst, tokens: burst, updated_ns: 0 }
    }

    /// Retries may be `share` of the calls, with the usual trickle and `burst` at once. A share of 0
    /// allows none at all: who says so wants every failure reported.
    pub fn of_share(share: f64, burst: f64) -> Self {
        if share > 0.0 {
            RetryBudget::new(share, RetryBudget::FLOOR_PER_S, burst)
        } else {
            RetryBudget::new(0.0, 0.0, 0.0)
        }
    }

    /// Whether it never allows a retry.
    pub fn is_none(&self) -> bool {
        self.share <= 0.0 && self.floor_per_s <= 0.0 && self.cap <= 0.0
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
        // The tolerance absorbs rounding: ten times 0.1 is one.
        let wait_ns = if missing <= 1e-9 {
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

    /// Most retries that may have been sent after `calls` first tries and `elapsed_ns`.
    pub fn allowed(&self, calls: u64, elapsed_ns: u64) -> f64 {
        let seconds = elapsed_ns as f64 / SECOND_NS as f64;
        self.cap + self.share * calls as f64 + self.floor_per_s * seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
                let allowed = budget.allowed(u64::from(calls), now);
                prop_assert!(started <= allowed + 1e-6, "{started} of {allowed}");
            }
        }
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        let mut budget = RetryBudget::of_share(0.0, 64.0);
        for hour in 0..10 {
            budget.on_call();
            assert_eq!(budget.reserve(hour * 3600 * SECOND_NS, u64::MAX), None);
        }
        assert!(RetryBudget::of_share(0.1, 64.0).reserve(0, 0).is_some());
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
}
