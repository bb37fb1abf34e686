//! When the records of a job arrive.
//!
//! The source of the live engine and the twin take the same times from the same seed, so that two
//! backends, or two policies, see the same load. Open loop: a time never depends on what became of
//! an earlier record.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_dsl::experiment::Arrivals;

/// Seed of the job, or another part of a run, at this position: the run's own for the first, so that
/// a job alone draws what it draws in company. With one seed for all, jobs with the same rule would
/// arrive at the same moments.
pub fn seed_of(seed: u64, number: usize) -> u64 {
    seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The arrival times of one job, nanoseconds since it began, ascending, without end but for a trace.
///
/// ```
/// use sage_core::arrivals::Times;
/// use sage_dsl::experiment::Arrivals;
///
/// let burst = Arrivals::Burst { size: 2, every_ns: 50 };
/// assert_eq!(Times::new(&burst, &[], 1).take(5).collect::<Vec<_>>(), [0, 0, 50, 50, 100]);
/// ```
#[derive(Debug, Clone)]
pub struct Times {
    rule: Arrivals,
    trace: Vec<u64>,
    rng: Pcg64Mcg,
    number: u64,
    clock: f64,
}

impl Times {
    /// Times by `rule`; those of a `Trace` are in `trace`, because reading its file is the caller's
    /// business.
    pub fn new(rule: &Arrivals, trace: &[u64], seed: u64) -> Self {
        Times {
            rule: rule.clone(),
            trace: trace.to_vec(),
            // Apart from the streams that policies and simulated answers draw from the same seed.
            rng: Pcg64Mcg::seed_from_u64(seed ^ 0x0a99_11a1),
            number: 0,
            clock: 0.0,
        }
    }

    /// Gap with mean `1 / per_s`, exponentially distributed, nanoseconds.
    fn gap(rng: &mut impl Rng, per_s: f64) -> f64 {
        let uniform: f64 = rng.random();
        -(1.0 - uniform).ln() * 1e9 / per_s.max(1e-9)
    }
}

impl Iterator for Times {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let number = self.number;
        self.number += 1;
        match &self.rule {
            Arrivals::Batch => Some(0),
            Arrivals::Constant { per_s } => Some((number as f64 * 1e9 / per_s.max(1e-9)) as u64),
            Arrivals::Poisson { per_s } => {
                self.clock += Self::gap(&mut self.rng, *per_s);
                Some(self.clock as u64)
            }
            Arrivals::Burst { size, every_ns } => {
                Some((number / (*size).max(1)).saturating_mul(*every_ns))
            }
            Arrivals::Trace { .. } => self.trace.get(number as usize).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ascend_keep_their_rate_and_repeat() {
        for rule in [Arrivals::Poisson { per_s: 50.0 }, Arrivals::Constant { per_s: 50.0 }] {
            let take = |seed| Times::new(&rule, &[], seed).take(20_000).collect::<Vec<_>>();
            let times = take(7);
            assert!(times.is_sorted());
            let rate = times.len() as f64 / (times[times.len() - 1] as f64 / 1e9);
            assert!((rate - 50.0).abs() < 1.5, "{rule:?}: {rate}");
            assert_eq!(times, take(7));
        }
        let poisson = Arrivals::Poisson { per_s: 50.0 };
        assert_ne!(Times::new(&poisson, &[], 1).next(), Times::new(&poisson, &[], 2).next());
        let trace = Arrivals::Trace { path: "a.txt".into() };
        assert_eq!(Times::new(&trace, &[3, 9], 0).collect::<Vec<_>>(), [3, 9]);
        assert_eq!(Times::new(&Arrivals::Batch, &[], 0).take(3).collect::<Vec<_>>(), [0; 3]);
    }
}
