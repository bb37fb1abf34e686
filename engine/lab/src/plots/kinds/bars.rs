//! Bars beside each other of which one may be many times as long as the others.
//!
//! Such a bar is cut off and its length written, so that the others can be read; one that is too
//! short to be seen has its length written, too. Lengths of what is drawn begin at zero and can be
//! compared, which a logarithmic axis would not allow.

use crate::plots::model::{Mark, drawable};
use crate::plots::ticks::short;

/// So many times what three quarters of the bars do not exceed is far off.
const FAR: f64 = 10.0;
/// A bar that is cut off is longer than the longest other by this factor.
const BEYOND: f64 = 1.7;
/// A bar shorter than this share of the longest cannot be seen.
const UNSEEN: f64 = 0.015;

/// What is said under a picture with a bar that is cut off.
pub(super) const NOTE: &str = "A bar with an arrow is cut off; its value is written.";

/// How long the bars of a panel may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    /// The longest bar that is drawn whole.
    pub(super) whole: f64,
    /// Where longer ones end.
    end: f64,
}

impl Cut {
    /// For bars of these lengths.
    pub(super) fn of(lengths: impl Iterator<Item = f64>) -> Cut {
        let mut lengths: Vec<f64> = lengths.filter(|length| drawable(*length)).collect();
        lengths.sort_by(f64::total_cmp);
        // At least one is no longer than this, so something is drawn whole.
        let usual = lengths.get(lengths.len().saturating_sub(1) * 3 / 4).copied().unwrap_or(0.0);
        let fits = |length: &f64| usual <= 0.0 || *length <= FAR * usual;
        let whole = lengths.iter().copied().filter(fits).fold(0.0, f64::max);
        Cut { whole, end: BEYOND * whole }
    }

    /// Whether a bar of this length is cut off.
    pub(super) fn cuts(self, length: f64) -> bool {
        length > self.whole
    }

    /// Where what reaches to `at` ends.
    pub(super) fn to(self, at: f64) -> f64 {
        if self.cuts(at) { at.min(self.end) } else { at }
    }

    /// The length of a bar, times `factor`, in words, where it cannot be seen.
    pub(super) fn words(self, row: f64, length: f64, factor: f64) -> Option<Mark> {
        let words = short(length * factor);
        if self.cuts(length) {
            return Some(Mark::Words { row, text: format!("{words} →"), right: true });
        }
        (length < UNSEEN * self.whole).then(|| super::words(row, &words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bar_that_is_far_off_does_not_hide_the_others() {
        let cut = Cut::of([10.0, 11.0, 12.0, 10.5, 2000.0].into_iter());
        assert!((cut.whole - 12.0).abs() < 1e-9);
        assert!(cut.to(2000.0) < 21.0 && cut.to(2000.0) > 12.0);
        let Some(Mark::Words { text, right: true, .. }) = cut.words(0.0, 2000.0, 1.0) else {
            panic!("its length is not written")
        };
        assert_eq!(text, "2000 →");
        assert_eq!(cut.words(0.0, 11.0, 1.0), None);
        assert!((cut.to(11.0) - 11.0).abs() < 1e-9);
    }

    #[test]
    fn lengths_that_can_be_compared_are_drawn_whole() {
        for lengths in [vec![], vec![7.0], vec![0.0, 0.0, 9.0], vec![1.0, 4.0], vec![1.0, 2.0, 9.0]]
        {
            let most = lengths.iter().copied().fold(0.0, f64::max);
            assert!(!Cut::of(lengths.iter().copied()).cuts(most), "{lengths:?}");
        }
        // Short beside the others: it cannot be seen, so it is written.
        let cut = Cut::of([9700.0, 9800.0, 50.0, 9750.0].into_iter());
        assert!(matches!(cut.words(0.0, 50.0, 1.0), Some(Mark::Words { right: false, .. })));
    }
}
