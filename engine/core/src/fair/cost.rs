//! What a call will cost: input tokens plus twice the output tokens that calls like it had.
//!
//! An output token takes a step of its own while input tokens are read many at a time, hence the
//! factor. Outputs are learned by exponentially weighted moving averages, one a key (a stage), with
//! a common one for keys that are new or too many.

use rustc_hash::FxHashMap;

/// Part of an observation in the average: half of what it knows is about seven calls old.
const ALPHA: f64 = 0.1;
const OUTPUT_FACTOR: f64 = 2.0;

/// Expects output tokens by key.
///
/// ```
/// use sage_core::fair::CostEstimator;
///
/// let mut costs = CostEstimator::new(100.0, 8);
/// assert_eq!(costs.estimate(1, 500.0, None), 700.0);
/// // An answer cannot be longer than it may be.
/// assert_eq!(costs.estimate(1, 500.0, Some(16.0)), 532.0);
/// costs.observe(1, 10.0);
/// assert_eq!(costs.estimate(1, 500.0, None), 520.0);
/// assert_eq!(CostEstimator::cost(500.0, 12.0), 524.0);
/// ```
#[derive(Debug, Clone)]
pub struct CostEstimator {
    initial: f64,
    most_keys: usize,
    expected: FxHashMap<u64, f64>,
    overall: Option<f64>,
}

impl CostEstimator {
    /// Expects `initial` output tokens until it knows better, and tells at most `most_keys` keys
    /// apart; what comes later shares the common average.
    pub fn new(initial: f64, most_keys: usize) -> Self {
        CostEstimator {
            initial: tokens(initial),
            most_keys,
            expected: FxHashMap::default(),
            overall: None,
        }
    }

    /// Cost of a call of `key` with `input_tokens` and, if it says so, at most `max_tokens` output.
    pub fn estimate(&self, key: u64, input_tokens: f64, max_tokens: Option<f64>) -> f64 {
        let expected = self.expected.get(&key).copied().or(self.overall).unwrap_or(self.initial);
        let output = max_tokens.map_or(expected, |most| expected.min(tokens(most)));
        Self::cost(input_tokens, output)
    }

    /// A call of `key` had so many output tokens.
    pub fn observe(&mut self, key: u64, output_tokens: f64) {
        let output = tokens(output_tokens);
        let learn = |average: f64| average + ALPHA * (output - average);
        self.overall = Some(self.overall.map_or(output, learn));
        if let Some(average) = self.expected.get_mut(&key) {
            *average = learn(*average);
        } else if self.expected.len() < self.most_keys {
            self.expected.insert(key, output);
        }
    }

    /// Cost of a call whose tokens are known.
    pub fn cost(input_tokens: f64, output_tokens: f64) -> f64 {
        tokens(input_tokens) + OUTPUT_FACTOR * tokens(output_tokens)
    }
}

/// A number of tokens, whatever was said.
fn tokens(count: f64) -> f64 {
    if count.is_finite() { count.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_keys_is_bounded_and_the_rest_share_an_average() {
        let mut costs = CostEstimator::new(50.0, 2);
        for key in 0..1_000 {
            costs.observe(key, if key < 2 { 7.0 } else { 20.0 });
        }
        assert_eq!(costs.expected.len(), 2);
        assert!((costs.estimate(0, 0.0, None) - 14.0).abs() < 1e-9);
        assert!((costs.estimate(900, 0.0, None) - 40.0).abs() < 0.1);
    }

    #[test]
    fn it_follows_a_change() {
        let mut costs = CostEstimator::new(50.0, 2);
        for _ in 0..100 {
            costs.observe(1, 10.0);
        }
        for _ in 0..50 {
            costs.observe(1, 200.0);
        }
        assert!((costs.estimate(1, 0.0, None) / 2.0 - 200.0).abs() < 2.0);
    }

    #[test]
    fn what_is_no_number_costs_nothing() {
        let mut costs = CostEstimator::new(f64::NAN, 2);
        costs.observe(1, f64::INFINITY);
        assert!(costs.estimate(1, -5.0, Some(f64::NAN)).abs() < f64::EPSILON);
    }
}
