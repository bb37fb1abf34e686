//! Means, intervals and differences, against plain recomputation and by simulation.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sage_lab::results::Estimate;
use sage_lab::stats::{difference, estimate, interval, mean, quantile};

/// About normal, by twelve uniform numbers.
fn normal(rng: &mut Pcg64Mcg) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

#[test]
fn the_interval_covers_the_true_mean_about_as_often_as_it_says() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let rounds = 400;
    let covered = |values: usize, rng: &mut Pcg64Mcg| {
        let hits = (0..rounds).filter(|round| {
            let sample: Vec<f64> = (0..values).map(|_| 100.0 + 5.0 * normal(rng)).collect();
            let (low, high) = interval(&sample, *round).unwrap();
            low <= 100.0 && 100.0 <= high
        });
        hits.count() as f64 / rounds as f64
    };
    let many = covered(30, &mut rng);
    assert!((0.90..=0.98).contains(&many), "{many}");
    // Known of the method, and said in the notes: of few values it is too narrow.
    let few = covered(5, &mut rng);
    assert!((0.70..0.93).contains(&few), "{few}");
}

#[test]
fn a_paired_difference_does_not_see_what_both_have_in_common() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    // The seed makes runs ten times as different as the setting does.
    let base: Vec<Option<f64>> =
        (0..10).map(|_| Some(100.0 + 20.0 * rng.random::<f64>())).collect();
    let these: Vec<Option<f64>> =
        base.iter().map(|value| value.map(|value| value * 1.02)).collect();
    let (base, these) = (estimate(base, 1).unwrap(), estimate(these, 2).unwrap());
    assert!(!base.apart(&these));
    let found = difference(&these, &base, 3).unwrap();
    let (low, high) = found.interval.unwrap();
    assert!((found.relative - 0.02).abs() < 1e-9 && low > 0.019 && high < 0.021, "{found:?}");
}

#[test]
fn what_is_not_known_is_left_out_in_pairs() {
    let of = |values: &[Option<f64>]| estimate(values.to_vec(), 0).unwrap();
    let these = of(&[Some(2.0), None, Some(6.0), Some(9.0)]);
    let base = of(&[Some(1.0), Some(5.0), Some(4.0), Some(0.0)]);
    let found = difference(&these, &base, 0).unwrap();
    // (2 / 1 - 1 + 6 / 4 - 1) / 2; nothing is over 0.
    assert_eq!((found.relative, found.interval), (0.75, None));
    assert_eq!(these.values.len(), 4);
    assert!(estimate(vec![None, None], 0).is_none());
    assert!(difference(&of(&[None, Some(1.0)]), &of(&[Some(1.0), None]), 0).is_none());
}

#[test]
fn quantiles_lie_between_the_values() {
    assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
    assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
    assert_eq!(quantile(&[1.0], 0.99), 1.0);
    assert_eq!(mean(&[]), None);
}

proptest! {
    #[test]
    fn an_interval_holds_the_mean_and_stays_within_the_values(
        values in prop::collection::vec(-1e6_f64..1e6, 3..12), seed in any::<u64>(),
    ) {
        let (low, high) = interval(&values, seed).unwrap();
        let mean = mean(&values).unwrap();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let close = (most - least) * 1e-9;
        prop_assert!(least - close <= low && high <= most + close);
        prop_assert!(low <= high);
        prop_assert!(low <= mean + close && mean - close <= high, "{low} {mean} {high}");
        prop_assert_eq!(interval(&values, seed), Some((low, high)));
    }

    #[test]
    fn the_same_factor_is_the_same_difference_whatever_the_values(
        values in prop::collection::vec(0.1_f64..1e6, 1..10), factor in 0.1_f64..10.0,
    ) {
        let of = |factor: f64| {
            let values = values.iter().map(|value| Some(value * factor)).collect();
            estimate(values, 5).unwrap()
        };
        let found = difference(&of(factor), &of(1.0), 5).unwrap();
        prop_assert!((found.relative - (factor - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn apart_is_the_same_from_both_sides(
        a in prop::collection::vec(0.0_f64..10.0, 1..6),
        b in prop::collection::vec(0.0_f64..10.0, 1..6),
    ) {
        let of = |values: &[f64]| -> Estimate {
            estimate(values.iter().copied().map(Some).collect(), 9).unwrap()
        };
        let (a, b) = (of(&a), of(&b));
        prop_assert_eq!(a.apart(&b), b.apart(&a));
        prop_assert!(!a.apart(&a));
    }
}
