//! What repeats say together: means, their intervals, paired differences.
//!
//! Intervals are percentile intervals of the bootstrap (B. Efron, R. Tibshirani, "An Introduction to
//! the Bootstrap", 1993, chapter 13): the repeats are drawn again with replacement, and the middle
//! 95 % of the means of such samples is the interval. Of few repeats it is too narrow, since the
//! repeats have seen little of what can happen; with fewer than three there is none.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::results::{Difference, Estimate};

/// Samples drawn for an interval.
pub const RESAMPLES: usize = 2000;
/// Fewest values that have an interval.
pub const FEWEST: usize = 3;

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The 95 % interval of the mean of `values`. The same values and seed give the same interval.
///
/// ```
/// use sage_lab::stats::interval;
///
/// let (low, high) = interval(&[9.0, 10.0, 11.0, 10.5, 9.5], 7).unwrap();
/// assert!(low >= 9.0 && low < 10.0 && high > 10.0 && high <= 11.0);
/// assert_eq!(interval(&[9.0, 10.0], 7), None);
/// ```
pub fn interval(values: &[f64], seed: u64) -> Option<(f64, f64)> {
    if values.len() < FEWEST {
        return None;
    }
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
    if low >= high {
        return Some((low, high));
    }
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let draw = |_| values[rng.random_range(0..values.len())];
            (0..values.len()).map(draw).sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some((quantile(&means, 0.025), quantile(&means, 0.975)))
}

/// The `share` quantile of sorted values, linear between them; 0 of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// A figure over the repeats; `None` when no repeat measured it.
pub fn estimate(values: Vec<Option<f64>>, seed: u64) -> Option<Estimate> {
    let known: Vec<f64> = values.iter().flatten().copied().collect();
    let mean = mean(&known)?;
    Some(Estimate { interval: interval(&known, seed), mean, values })
}

/// How much larger `these` are than `base`, pair by pair: values at the same place are of the same
/// seed, so what the seed does to both cancels out. `None` when no pair is known.
pub fn difference(these: &Estimate, base: &Estimate, seed: u64) -> Option<Difference> {
    let pairs = these.values.iter().zip(&base.values);
    let ratios: Vec<f64> = pairs
        .filter_map(|(this, base)| Some((*this)? / (*base)? - 1.0))
        .filter(|ratio| ratio.is_finite())
        .collect();
    Some(Difference { relative: mean(&ratios)?, interval: interval(&ratios, seed) })
}

/// A seed that is the same for the same words.
pub(crate) fn seed_of<'w>(words: impl IntoIterator<Item = &'w str>) -> u64 {
    let bytes = words.into_iter().flat_map(|word| word.bytes().chain([0]));
    // FNV-1a, 64 bits.
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
