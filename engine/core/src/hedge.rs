//! When a call that takes unusually long is sent a second time.
//!
//! Hedging as in Dean, Barroso, *The Tail at Scale* (CACM 2013): the second copy goes out once the
//! first has outlasted a high quantile of the usual latency, and whichever answers first counts.
//! Copies are a bounded share of the calls. **Only for calls that may be made twice** (embeddings);
//! an answer that is generated twice is paid twice.

use hdrhistogram::Histogram;

/// Resolution, and the longest latency that is told apart.
const UNIT_NS: u64 = 1_000;
const LONGEST: u64 = 3_600_000_000;
const DIGITS: u8 = 2;

/// The quantile is read from at least so many samples beyond it, and from twenty in all.
const BEYOND: f64 = 5.0;
const FEWEST: f64 = 20.0;
const MOST: f64 = 100_000.0;

/// Samples of a generation, as a multiple of the fewest the quantile needs.
const GENERATION: u64 = 4;

/// Copies that an idle time may save up.
const BURST: f64 = 10.0;

/// Learns the latency and keeps the budget.
///
/// Latencies are kept in two generations; when the younger is full the older is dropped. So what was
/// usual under other conditions is forgotten after at most two generations, and memory is constant
/// (about 60 KiB).
///
/// ```
/// use sage_core::hedge::Hedger;
///
/// let mut hedger = Hedger::new(0.9, 0.02);
/// assert_eq!(hedger.delay_ns(), None);
/// for call in 1..=100 {
///     hedger.on_call();
///     hedger.observe(call * 1_000_000);
/// }
/// let delay = hedger.delay_ns().expect("enough samples");
/// assert!((88_000_000..93_000_000).contains(&delay));
/// // Two of a hundred calls.
/// assert!(hedger.try_spend() && hedger.try_spend() && !hedger.try_spend());
/// ```
#[derive(Debug, Clone)]
pub struct Hedger {
    quantile: f64,
    budget: f64,
    copies: f64,
    fewest: u64,
    young: Histogram<u32>,
    old: Histogram<u32>,
    delay_ns: Option<u64>,
    /// Samples until the delay is computed anew.
    due: u64,
}

impl Hedger {
    /// Copies after the `quantile` of latency (0 to 1), at most `budget` of the calls (0 to 1).
    pub fn new(quantile: f64, budget: f64) -> Self {
        let within = |share: f64| if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        let quantile = within(quantile);
        let fewest = (BEYOND / (1.0 - quantile)).ceil().clamp(FEWEST, MOST) as u64;
        let empty = Histogram::new_with_max(LONGEST, DIGITS).expect("constants within its range");
        Hedger {
            quantile,
            budget: within(budget),
            copies: 0.0,
            fewest,
            young: empty.clone(),
            old: empty,
            delay_ns: None,
            due: fewest,
        }
    }

    /// A call took this long (its first copy; the time of a copy that was cut off is not known).
    pub fn observe(&mut self, latency_ns: u64) {
        self.young.saturating_record(latency_ns / UNIT_NS);
        self.due = self.due.saturating_sub(1);
        if self.due == 0 {
            // Reading a quantile walks the histogram: often enough, not at each call.
            self.due = (self.fewest / 4).max(1);
            self.delay_ns = Some(self.read());
        }
        if self.young.len() >= self.fewest * GENERATION {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.reset();
        }
    }

    /// How long to wait before a second copy; `None` until enough is known.
    pub fn delay_ns(&self) -> Option<u64> {
        self.delay_ns
    }

    /// A call that may be hedged goes out: it earns a part of a copy.
    pub fn on_call(&mut self) {
        self.copies = (self.copies + self.budget).min(BURST);
    }

    /// Takes a copy from the budget, if there is one.
    pub fn try_spend(&mut self) -> bool {
        // The tolerance absorbs rounding: fifty times 0.02 is one.
        let spent = self.copies >= 1.0 - 1e-9;
        if spent {
            self.copies = (self.copies - 1.0).max(0.0);
        }
        spent
    }

    fn read(&self) -> u64 {
        let mut all = self.young.clone();
        // Of the same range, so it fits.
        let added = all.add(&self.old);
        debug_assert!(added.is_ok());
        (all.value_at_quantile(self.quantile) + 1) * UNIT_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg32;

    const MS: u64 = 1_000_000;

    proptest! {
        #[test]
        fn copies_stay_within_the_budget(
            budget in 0.0f64..0.5,
            steps in proptest::collection::vec(any::<bool>(), 1..2_000),
        ) {
            let mut hedger = Hedger::new(0.95, budget);
            let (mut calls, mut copies) = (0.0, 0.0);
            for call in steps {
                if call {
                    hedger.on_call();
                    calls += 1.0;
                } else if hedger.try_spend() {
                    copies += 1.0;
                }
                prop_assert!(copies <= calls * budget + 1e-6);
            }
        }

        #[test]
        fn no_input_upsets_it(quantile: f64, budget: f64, latencies: Vec<u64>) {
            let mut hedger = Hedger::new(quantile, budget);
            for latency in latencies {
                hedger.observe(latency);
                hedger.on_call();
                hedger.try_spend();
            }
        }
    }

    #[test]
    fn the_delay_is_the_quantile() {
        let mut hedger = Hedger::new(0.95, 0.02);
        let mut rng = Pcg32::seed_from_u64(1);
        for _ in 0..5_000 {
            hedger.observe(rng.random_range(0..1_000 * MS));
        }
        let delay = hedger.delay_ns().unwrap() as f64 / MS as f64;
        assert!((930.0..970.0).contains(&delay), "{delay}");
    }

    #[test]
    fn an_old_regime_is_forgotten() {
        let mut hedger = Hedger::new(0.95, 0.02);
        for _ in 0..100_000 {
            hedger.observe(10 * MS);
        }
        for _ in 0..800 {
            hedger.observe(500 * MS);
        }
        let slow = hedger.delay_ns().unwrap();
        assert!(slow >= 500 * MS);
        for _ in 0..800 {
            hedger.observe(10 * MS);
        }
        let fast = hedger.delay_ns().unwrap();
        assert!(fast < 11 * MS, "{fast}");
    }
}
