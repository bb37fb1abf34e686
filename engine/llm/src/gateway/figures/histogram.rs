//! Times in buckets, as Prometheus wants them.

use std::time::Duration;

/// Upper bounds of the buckets, seconds: from a call that the simulator answers at full speed to
/// one that waits for minutes.
pub(in crate::gateway) const BOUNDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0,
    160.0, 320.0,
];

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::gateway) struct Histogram {
    counts: [u64; BOUNDS.len()],
    /// All observations, also those beyond the last bound.
    pub(in crate::gateway) count: u64,
    /// Seconds.
    pub(in crate::gateway) sum: f64,
}

impl Histogram {
    /// Another observation.
    pub(in crate::gateway) fn observe(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(slot) = self.counts.get_mut(BOUNDS.partition_point(|&bound| bound < seconds)) {
            *slot += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// Each bound with the observations up to it.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS.into_iter().zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_falls_into_its_bucket() {
        let mut histogram = Histogram::default();
        for ms in [1, 2, 3, 1_000_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let found: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(found[..4], [1, 2, 3, 3]);
        assert_eq!((found[17], histogram.count), (3, 4));
        assert!(histogram.sum > 1_000.0);
    }
}
