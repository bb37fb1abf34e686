//! Comparisons: gaps, errors of the twin, and Kendall's tau against counting all pairs.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

mod common;

use common::{Fake, experiment, results};
use proptest::prelude::*;
use sage_dsl::experiment::{Backend as Place, Experiment};
use sage_lab::compare::{compare, tau_b};
use sage_lab::results::Results;

/// `experiment` on a backend on which all takes `factor` times as long.
fn on(place: Place, factor: f64, experiment: &Experiment) -> Results {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = Fake::new();
    fake.place = place;
    fake.plan = Box::new(move |trial, number| {
        let tasks = common::steady(trial, number).into_iter();
        tasks.map(|(a, s, f, node)| (a * factor, s * factor, f * factor, node)).collect()
    });
    results(experiment, &mut fake, folder.path())
}

#[test]
fn a_twin_that_is_ten_percent_slow_is_ten_percent_off() {
    let (sim, twin) = (on(Place::Sim, 1.0, &experiment()), on(Place::Twin, 1.1, &experiment()));
    let found = compare(&sim, &twin).unwrap();
    assert_eq!((found.rows.len(), found.only_first.len()), (6, 0));
    let gap = found.rows[0].gaps.iter().find(|gap| gap.column == "latency_mean_ms").unwrap();
    assert!((gap.relative.unwrap() - 0.1).abs() < 1e-3, "{gap:?}");
    let fidelity = found.fidelity.as_ref().unwrap();
    let miss = |column: &str| fidelity.misses.iter().find(|miss| miss.column == column).unwrap();
    assert!((miss("latency_p99_ms").median - 0.1).abs() < 1e-3);
    assert!((miss("throughput_per_s").max - (1.0 - 1.0 / 1.1)).abs() < 1e-3);
    assert_eq!((miss("balance").max, miss("balance").rows), (0.0, 6));
    assert_eq!(fidelity.ranked.as_deref(), Some("policy"));
    assert_eq!(fidelity.rankings.len(), 4);
    for ranking in &fidelity.rankings {
        assert_eq!((ranking.settings, ranking.tau), (3, Some(1.0)), "{ranking:?}");
        assert_eq!((ranking.agreed, &ranking.best_real), (ranking.clear, &ranking.best_twin));
        assert_eq!(ranking.best_real, "fifo");
    }
    // The other way round the real one is still the reference.
    let turned = compare(&twin, &sim).unwrap();
    assert_eq!(turned.fidelity.as_ref().unwrap().misses, fidelity.misses);
    let text = found.text();
    for word in ["simulated endpoint", "twin (virtual time)", "+10.0%", "error of", "tau"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    fidelity.write(folder.path()).unwrap();
    let json = std::fs::read_to_string(folder.path().join("fidelity.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rankings"][0]["tau"], 1.0);
}

#[test]
fn rows_that_only_one_has_are_named() {
    let mut fewer = experiment();
    fewer.sweeps[0].points.remove(0);
    let found =
        compare(&on(Place::Twin, 1.0, &experiment()), &on(Place::Twin, 1.0, &fewer)).unwrap();
    assert_eq!(found.only_first, ["rag fifo", "compute fifo"]);
    assert!(found.fidelity.is_none() && found.only_second.is_empty());
    assert!(found.rows.iter().flat_map(|row| &row.gaps).all(|gap| !gap.apart));
    let other = Experiment { name: "other".into(), ..experiment() };
    let error = compare(&on(Place::Twin, 1.0, &experiment()), &on(Place::Twin, 1.0, &other));
    assert!(error.unwrap_err().to_string().contains("cannot be compared with another one"));
}

#[test]
fn without_any_result_there_is_nothing_to_compare() {
    let whole = on(Place::Twin, 1.0, &experiment());
    let mut none = whole.clone();
    none.rows.iter_mut().for_each(|row| row.figures.clear());
    for (one, other) in [(&whole, &none), (&none, &whole)] {
        let error = compare(one, other).unwrap_err().to_string();
        assert!(error.contains("no trial of it has a result"), "{error}");
    }
}

#[test]
fn an_error_of_the_system_is_told_once() {
    let path = std::path::Path::new("nothing/here");
    let refused = std::io::Error::from_raw_os_error(13);
    let error = sage_lab::LabError::file("read", path)(refused);
    assert!(error.to_string().ends_with("Permission denied (os error 13)"), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "a chain of errors says it twice");
}

/// By the definition: concordant less discordant pairs, over the pairs that are not tied.
fn naive(one: &[f64], other: &[f64]) -> Option<f64> {
    let (mut concordant, mut discordant, mut ties_one, mut ties_other, mut all) =
        (0.0, 0.0, 0.0, 0.0, 0.0);
    for i in 0..one.len() {
        for j in (i + 1)..one.len() {
            all += 1.0;
            let product = (one[i] - one[j]) * (other[i] - other[j]);
            concordant += f64::from(u8::from(product > 0.0));
            discordant += f64::from(u8::from(product < 0.0));
            ties_one += f64::from(u8::from(one[i] == one[j]));
            ties_other += f64::from(u8::from(other[i] == other[j]));
        }
    }
    let below: f64 = (all - ties_one) * (all - ties_other);
    (below > 0.0).then(|| (concordant - discordant) / below.sqrt())
}

proptest! {
    #[test]
    fn tau_is_what_counting_pairs_gives(
        pairs in prop::collection::vec((0_i32..6, 0_i32..6), 0..12),
    ) {
        let one: Vec<f64> = pairs.iter().map(|(a, _)| f64::from(*a)).collect();
        let other: Vec<f64> = pairs.iter().map(|(_, b)| f64::from(*b)).collect();
        match (tau_b(&one, &other), naive(&one, &other)) {
            (Some(found), Some(expected)) => {
                prop_assert!((found - expected).abs() < 1e-12);
                prop_assert!((-1.0..=1.0).contains(&found));
            }
            (found, expected) => prop_assert_eq!(found, expected),
        }
        prop_assert_eq!(tau_b(&one, &other), tau_b(&other, &one));
    }
}
