//! A token bucket: the pace of calls, even over moments.

const SECOND_NS: f64 = 1e9;

/// A rate limit: `rate` units a second on average, `burst` at once.
///
/// An amount that is not known beforehand (tokens) is taken as an estimate and corrected with
/// [`settle`](Self::settle). The bucket may go into debt, through a correction or one amount larger
/// than the burst; nothing else passes until the debt is paid.
///
/// ```
/// use sage_core::limit::TokenBucket;
///
/// let mut bucket = TokenBucket::new(10.0, 1.0);
/// assert_eq!(bucket.try_take(1.0, 0), Ok(()));
/// assert_eq!(bucket.try_take(1.0, 0), Err(100_000_000));
/// assert_eq!(bucket.try_take(1.0, 100_000_000), Ok(()));
/// ```
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate_per_s: f64,
    burst: f64,
    level: f64,
    updated_ns: u64,
}

impl TokenBucket {
    /// A full bucket. `rate_per_s` and `burst` are positive.
    pub fn new(rate_per_s: f64, burst: f64) -> Self {
        TokenBucket { rate_per_s, burst, level: burst, updated_ns: 0 }
    }

    /// A bucket whose burst keeps any minute within 2 % of the rate: one second's worth (and at
    /// least one unit, without which nothing would ever pass).
    pub fn per_second(rate_per_s: f64) -> Self {
        TokenBucket::new(rate_per_s, rate_per_s.max(1.0))
    }

    /// Take `amount`, or say in how many nanoseconds it may be there.
    pub fn try_take(&mut self, amount: f64, now_ns: u64) -> Result<(), u64> {
        self.refill(now_ns);
        let needed = amount.min(self.burst);
        // The tolerance absorbs rounding, else a caller that sleeps exactly as told could be told
        // to wait for another nanosecond.
        let missing = needed - self.level;
        if missing > needed * 1e-9 {
            return Err((missing / self.rate_per_s * SECOND_NS).ceil() as u64);
        }
        self.level -= amount;
        Ok(())
    }

    /// Replace an earlier estimate by what was used.
    pub fn settle(&mut self, estimate: f64, actual: f64, now_ns: u64) {
        self.refill(now_ns);
        self.level = (self.level + estimate - actual).min(self.burst);
    }

    fn refill(&mut self, now_ns: u64) {
        let elapsed = now_ns.saturating_sub(self.updated_ns) as f64 / SECOND_NS;
        self.updated_ns = self.updated_ns.max(now_ns);
        self.level = (self.level + elapsed * self.rate_per_s).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Callers that come as fast as they may never pass 1.02 of the rate in any minute.
        #[test]
        fn no_minute_exceeds_the_rate(
            rate in 1.0f64..500.0,
            amounts in proptest::collection::vec(0.05f64..1.0, 200..800),
            pauses in proptest::collection::vec(0u64..3_000_000_000, 8),
        ) {
            let mut bucket = TokenBucket::per_second(rate);
            let mut now = 0u64;
            let mut taken: VecDeque<(u64, f64)> = VecDeque::new();
            for (i, share) in amounts.iter().enumerate() {
                if i % 100 == 0 {
                    now += pauses[(i / 100) % pauses.len()];
                }
                let amount = share * rate;
                while let Err(wait) = bucket.try_take(amount, now) {
                    now += wait;
                }
                taken.push_back((now, amount));
                while taken.front().is_some_and(|(at, _)| now - at >= 60_000_000_000) {
                    taken.pop_front();
                }
                let minute: f64 = taken.iter().map(|(_, amount)| amount).sum();
                prop_assert!(minute <= rate * 60.0 * 1.02, "{minute} at {rate}/s");
            }
        }
    }

    #[test]
    fn a_corrected_estimate_is_paid_back() {
        let mut bucket = TokenBucket::new(100.0, 100.0);
        assert_eq!(bucket.try_take(50.0, 0), Ok(()));
        bucket.settle(50.0, 150.0, 0);
        assert_eq!(bucket.try_take(50.0, 0), Err(1_000_000_000));
        bucket.settle(100.0, 0.0, 0);
        assert_eq!(bucket.try_take(50.0, 0), Ok(()));
    }

    #[test]
    fn an_amount_above_the_burst_passes_once_the_bucket_is_full() {
        let mut bucket = TokenBucket::new(10.0, 10.0);
        assert_eq!(bucket.try_take(30.0, 0), Ok(()));
        assert_eq!(bucket.try_take(1.0, 0), Err(2_100_000_000));
    }
}
