//! `Histogram`: durations with three significant digits, and an exact mean and maximum.
//!
//! An HDR histogram in nanoseconds. It grows with the largest value seen, up to a week; what is
//! longer counts as a week, so memory has a bound and nothing is refused. Mergeable.

use hdrhistogram::Histogram as Hdr;

const LONGEST_NS: u64 = 7 * 86_400 * 1_000_000_000;

/// Durations, weighted by records.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Hdr<u64>,
    sum_ns: u128,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = Hdr::new(3).expect("three significant digits are supported");
        Histogram { counts, sum_ns: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts a duration `times` times.
    pub fn record(&mut self, ns: u64, times: u64) {
        // Never out of range: it resizes itself, and the value is bounded.
        let recorded = self.counts.record_n(ns.min(LONGEST_NS), times);
        debug_assert!(recorded.is_ok());
        self.sum_ns = self.sum_ns.saturating_add(u128::from(ns) * u128::from(times));
        if times > 0 {
            self.max_ns = self.max_ns.max(ns);
        }
    }

    /// Adds all that another histogram counted.
    pub fn merge(&mut self, other: &Histogram) {
        let added = self.counts.add(&other.counts);
        debug_assert!(added.is_ok());
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Number of durations counted.
    pub fn count(&self) -> u64 {
        self.counts.len()
    }

    /// Exact mean, nanoseconds; `None` if nothing was counted.
    pub fn mean_ns(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum_ns as f64 / count as f64)
    }

    /// The duration that a share `q` of all stays within, nanoseconds.
    pub fn quantile_ns(&self, q: f64) -> Option<f64> {
        // The top of a bucket may lie above the largest value in it.
        (self.count() > 0).then(|| self.counts.value_at_quantile(q).min(self.max_ns) as f64)
    }

    /// Exact maximum, nanoseconds.
    pub fn max_ns(&self) -> Option<f64> {
        (self.count() > 0).then_some(self.max_ns as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_have_three_digits_and_mean_and_maximum_are_exact() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.mean_ns(), histogram.quantile_ns(0.5)), (None, None));
        for value in 1..=100_000_u64 {
            histogram.record(value * 1_000, 1);
        }
        assert_eq!(histogram.mean_ns(), Some(50_000_500.0));
        assert_eq!(histogram.max_ns(), Some(100_000_000.0));
        for q in [0.5, 0.9, 0.99] {
            let found = histogram.quantile_ns(q).unwrap();
            assert!((found / (q * 1e8) - 1.0).abs() < 1e-3, "{q}: {found}");
        }
    }

    #[test]
    fn weights_count_and_absurd_values_saturate() {
        let mut histogram = Histogram::default();
        histogram.record(10, 99);
        histogram.record(u64::MAX, 1);
        histogram.record(77, 0);
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.quantile_ns(0.99), Some(10.0));
        assert!(histogram.quantile_ns(1.0).unwrap() >= LONGEST_NS as f64);
    }

    #[test]
    fn a_merge_equals_counting_in_one() {
        let (mut left, mut right, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..1_000_u64 {
            let half = if value % 2 == 0 { &mut left } else { &mut right };
            half.record(value * value, value % 3);
            both.record(value * value, value % 3);
        }
        left.merge(&right);
        assert_eq!(left.count(), both.count());
        assert_eq!(left.mean_ns(), both.mean_ns());
        assert_eq!(left.quantile_ns(0.9), both.quantile_ns(0.9));
    }
}
