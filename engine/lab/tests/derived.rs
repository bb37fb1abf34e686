//! Figures that follow from several runs, against the plainest recomputation.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

mod common;

use common::{Fake, experiment, job, nodes, results, together};
use proptest::prelude::*;
use sage_dsl::experiment::{Experiment, Setting};
use sage_lab::results::{ALL, Results, Row};
use sage_lab::trial::TrialError;

fn row<'r>(results: &'r Results, job: &str, label: &str, solo: bool) -> &'r Row {
    let fits = |row: &&Row| {
        row.job == job
            && row.solo == solo
            && (solo || row.point.iter().any(|(_, have)| have == label))
    };
    results.rows.iter().find(fits).unwrap()
}

fn close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!(
        (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
        "{found} is not {expected}"
    );
}

#[test]
fn rows_stand_in_the_order_of_jobs_and_sweeps_with_all_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let results = results(&experiment(), &mut Fake::new(), folder.path());
    let names: Vec<String> =
        results.rows.iter().map(|row| format!("{} {}", row.job, row.point[1].1)).collect();
    assert_eq!(
        names,
        [
            "rag fifo",
            "rag load_aware(spread)",
            "rag priority",
            "compute fifo",
            "compute load_aware(spread)",
            "compute priority"
        ]
    );
    for row in &results.rows {
        assert_eq!((row.runs.len(), row.folders.len()), (5, 5));
        assert!(folder.path().join(&row.folders[4]).join("metrics.json").exists());
        let throughput = &row.figures["throughput_per_s"];
        for (value, run) in throughput.values.iter().zip(&row.runs) {
            assert_eq!(*value, run["throughput_per_s"].as_f64());
        }
        assert!(!row.figures.contains_key("cost"), "what was not measured is not there");
    }
    assert!(results.simulated && results.label() == "twin (virtual time)");
}

#[test]
fn differences_are_to_the_baseline_of_the_same_job() {
    let folder = tempfile::tempdir().unwrap();
    let results = results(&experiment(), &mut Fake::new(), folder.path());
    for job in ["rag", "compute"] {
        let (base, this) =
            (row(&results, job, "fifo", false), row(&results, job, "priority", false));
        assert!(base.versus.is_empty());
        let values = |row: &Row| row.figures["latency_mean_ms"].values.clone();
        let ratios: Vec<f64> = values(this)
            .iter()
            .zip(values(base))
            .map(|(this, base)| this.unwrap() / base.unwrap() - 1.0)
            .collect();
        let found = &this.versus["latency_mean_ms"];
        close(Some(found.relative), ratios.iter().sum::<f64>() / 5.0);
        assert!(found.interval.is_some());
    }
}

#[test]
fn speedup_is_over_the_fewest_nodes_repeat_by_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = |counts: &[u32]| Experiment {
        sweeps: vec![nodes(counts)],
        jobs: vec![job("rag", vec![])],
        baseline: None,
        ..experiment()
    };
    let found = results(&experiment(&[8, 1, 4]), &mut Fake::new(), folder.path());
    let throughput =
        |label: &str| row(&found, "rag", label, false).figures["throughput_per_s"].clone();
    for (label, count) in [("1", 1.0), ("4", 4.0), ("8", 8.0)] {
        let this = row(&found, "rag", label, false);
        for repeat in 0..5 {
            let expected =
                throughput(label).values[repeat].unwrap() / throughput("1").values[repeat].unwrap();
            close(this.figures["speedup"].values[repeat], expected);
            close(this.figures["efficiency"].values[repeat], expected / count);
        }
    }
    // Without a run on one node, over the fewest there are.
    let other = tempfile::tempdir().unwrap();
    let found = results(&experiment(&[4, 8]), &mut Fake::new(), other.path());
    close(row(&found, "rag", "4", false).mean("speedup"), 1.0);
    close(row(&found, "rag", "4", false).mean("efficiency"), 1.0);
    let eight = row(&found, "rag", "8", false);
    close(eight.mean("efficiency"), eight.mean("speedup").unwrap() / 2.0);
}

#[test]
fn speedup_is_over_the_fewest_nodes_that_were_run_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Experiment {
        sweeps: vec![nodes(&[1, 4, 8])],
        jobs: vec![job("rag", vec![])],
        baseline: None,
        ..experiment()
    };
    let mut fake = Fake::new();
    fake.verdict = Box::new(|trial| match trial.jobs[0].nodes {
        1 => Err(TrialError::Failed("it broke".into())),
        _ => Ok(()),
    });
    let found = results(&experiment, &mut fake, folder.path());
    close(row(&found, "rag", "4", false).mean("speedup"), 1.0);
    let note = "speedup and efficiency are relative to 4 nodes, the fewest that were run";
    assert!(found.notes.iter().any(|found| found == note), "{:?}", found.notes);
}

#[test]
fn the_price_of_company_is_over_the_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let results = results(&together(), &mut Fake::new(), folder.path());
    let all = row(&results, ALL, "on", false);
    for repeat in 0..3 {
        let makespan = |row: &Row| row.figures["makespan_s"].values[repeat].unwrap();
        let mut alone = 0.0;
        for job in ["rag", "compute", "llm"] {
            let solo = makespan(row(&results, job, "", true));
            let shared = row(&results, job, "on", false);
            close(shared.figures["slowdown"].values[repeat], makespan(shared) / solo);
            alone += solo;
        }
        close(all.figures["parallel_gain"].values[repeat], alone / makespan(all));
        assert_eq!(all.figures["tasks_ok"].values[repeat], Some(180.0));
    }
    assert_eq!(all.figures["balance"].mean, 1.0);
    // What a single job has does not stand in the row of all, nor the other way round.
    assert!(!all.figures.contains_key("latency_p99_ms"));
    assert!(!row(&results, "rag", "on", false).figures.contains_key("jain"));
    assert!(results.asked().all(|row| !row.solo));
    // Baseline of the other dimension, for all rows alike.
    assert!(all.versus.contains_key("throughput_per_s"));
}

#[test]
fn an_offset_that_was_measured_counts_more_than_the_one_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = Experiment { repeat: 1, ..together() };
    let mut fake = Fake::new();
    let before = results(&experiment, &mut fake, folder.path());
    let all = row(&before, ALL, "on", false).mean("makespan_s").unwrap();
    let run = folder.path().join("runs/fair-on.r0/llm/metrics.json");
    let text = std::fs::read_to_string(&run).unwrap();
    std::fs::write(&run, text.replacen('{', "{\"offset_s\":14.0,", 1)).unwrap();
    let suite = common::suite(&experiment);
    let after = sage_lab::results::gather(&suite, folder.path()).unwrap();
    // Asked for was a start at 4 s.
    close(row(&after, ALL, "on", false).mean("makespan_s"), all + 10.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn spread_and_fairness_are_those_of_the_common_time(
        tasks in prop::collection::vec((1_u64..40, 1.0_f64..50.0), 2..4),
        stagger_ms in 0_u64..300,
    ) {
        let names = ["a", "b", "c"];
        let experiment = Experiment {
            jobs: tasks.iter().zip(names).map(|((tasks, _), name)| job(name, vec![Setting::Tasks(*tasks)])).collect(),
            settings: vec![
                Setting::Nodes(1),
                Setting::Together(true),
                Setting::StaggerNs(stagger_ms * 1_000_000),
            ],
            sweeps: Vec::new(),
            repeat: 1,
            baseline: None,
            ..experiment()
        };
        let paces: Vec<f64> = tasks.iter().map(|(_, pace)| *pace).collect();
        let plan = paces.clone();
        let mut fake = Fake::new();
        fake.plan = Box::new(move |trial, number| {
            let pace = plan[names.iter().position(|name| *name == trial.jobs[number].name).unwrap()];
            let count = trial.jobs[number].tasks.unwrap();
            (1..=count).map(|n| (0.0, 0.0, n as f64 * pace, 0)).collect()
        });
        let folder = tempfile::tempdir().unwrap();
        let found = results(&experiment, &mut fake, folder.path());
        let all = found.rows.iter().find(|row| row.job == ALL).unwrap();

        // Completions by a common clock, in ms as the table keeps them: whole nanoseconds.
        let ends: Vec<Vec<f64>> = tasks.iter().zip(0_u64..).map(|((count, pace), number)| {
            let start = (number * stagger_ms) as f64;
            (1..=*count).map(|n| start + ((n as f64 * pace) * 1e6).floor() / 1e6).collect()
        }).collect();
        let from = (tasks.len() as u64 - 1) as f64 * stagger_ms as f64;
        let to = ends.iter().map(|ends| *ends.last().unwrap()).fold(f64::INFINITY, f64::min);
        let spread = (to > from).then(|| {
            // A hair wider, since sums of decimals differ in the last digit.
            let within = |ends: &Vec<f64>| ends.iter().filter(|end| **end > from + 1e-6 && **end <= to + 1e-6).count() as f64;
            let counts: Vec<f64> = ends.iter().map(within).collect();
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let most = counts.iter().copied().fold(0.0, f64::max);
            let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
            (most - least) / mean
        });
        match (all.mean("isolation_spread"), spread) {
            (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-6, "{found} {expected}"),
            (found, expected) => prop_assert_eq!(found, expected),
        }
        let rates: Vec<f64> = paces.iter().map(|pace| 1e3 / (pace * 1e6).floor() * 1e6).collect();
        let jain = rates.iter().sum::<f64>().powi(2) / (rates.len() as f64 * rates.iter().map(|rate| rate * rate).sum::<f64>());
        prop_assert!((all.mean("jain").unwrap() - jain).abs() < 1e-3);
        let last = ends.iter().map(|ends| *ends.last().unwrap()).fold(0.0, f64::max);
        prop_assert!((all.mean("makespan_s").unwrap() - last / 1e3).abs() < 1e-6);
        let count: u64 = tasks.iter().map(|(tasks, _)| *tasks).sum();
        prop_assert!((all.mean("throughput_per_s").unwrap() / (count as f64 / last * 1e3) - 1.0).abs() < 1e-6);
    }
}
