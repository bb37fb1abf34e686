//! Suites: what is run, what is kept, what happens when something breaks.

#![allow(clippy::unwrap_used, reason = "a test fails where it must not go on")]

mod common;

use std::fs;

use common::{Count, Fake, claim, col, experiment, num, op, over, suite, together};
use sage_dsl::experiment::{Aggregate, Backend, Experiment, Setting};
use sage_dsl::plan::BinaryOp;
use sage_lab::claims::decide_on;
use sage_lab::results::{Outcome as Verdict, gather};
use sage_lab::suite::{Course, RUNS, Suite};
use sage_lab::trial::TrialError;

#[test]
fn a_stopped_suite_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let suite = suite(&experiment());
    suite.begin(folder).unwrap();
    let mut first = Fake::new();
    let mut watcher = Count { stop_after: Some(11), ..Count::default() };
    let course = suite.run(folder, &mut first, &mut watcher).unwrap();
    assert_eq!((course.done, course.interrupted, watcher.ended), (11, true, 11));
    assert!(!suite.complete(folder).unwrap());

    // As another process would find it.
    let again = Suite::open(folder).unwrap().unwrap();
    assert_eq!(suite.differs(&again), None);
    let mut second = Fake::new();
    let course = again.run(folder, &mut second, &mut Count::default()).unwrap();
    assert_eq!(course, Course { done: 30, kept: 11, ..Course::default() });
    let mut all: Vec<String> = first.ran.iter().chain(&second.ran).cloned().collect();
    all.sort();
    all.dedup();
    assert_eq!((first.ran.len(), second.ran.len(), all.len()), (11, 19, 30));
    assert!(again.complete(folder).unwrap());

    let mut third = Fake::new();
    again.run(folder, &mut third, &mut Count::default()).unwrap();
    assert!(third.ran.is_empty());
}

#[test]
fn half_a_trial_is_no_trial() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let suite = suite(&Experiment { repeat: 1, ..experiment() });
    suite.begin(folder).unwrap();
    suite.run(folder, &mut Fake::new(), &mut Count::default()).unwrap();
    let run = |number: usize| folder.join(RUNS).join(&suite.trials[number].id);
    // Killed before the marker; figures cut off; figures gone; marker cut off would be an error.
    fs::remove_file(run(0).join("ended.json")).unwrap();
    fs::write(run(1).join("rag/metrics.json"), "{\"tasks_in\": 2").unwrap();
    fs::remove_dir_all(run(2).join("rag")).unwrap();
    fs::write(run(0).join("left-over"), "x").unwrap();
    let mut fake = Fake::new();
    let course = suite.run(folder, &mut fake, &mut Count::default()).unwrap();
    assert_eq!((course.done, course.kept), (6, 3));
    let mut again: Vec<_> = suite.trials[..3].iter().map(|trial| trial.id.clone()).collect();
    again.sort();
    fake.ran.sort();
    assert_eq!(fake.ran, again);
    assert!(!run(0).join("left-over").exists());
}

#[test]
fn a_failed_trial_is_noted_the_rest_goes_on_and_it_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let suite = suite(&Experiment { repeat: 2, ..experiment() });
    suite.begin(folder).unwrap();
    let mut fake = Fake::new();
    fake.verdict = Box::new(|trial| match trial.id.as_str() {
        "policy-fifo.rag.r1" => Err(TrialError::Failed("the engine broke".into())),
        id if id.starts_with("policy-priority.compute") => {
            Err(TrialError::NotPossible("no such policy".into()))
        }
        _ => Ok(()),
    });
    let course = suite.run(folder, &mut fake, &mut Count::default()).unwrap();
    assert_eq!((course.done, course.failed.len(), course.not_possible.len()), (9, 1, 2));
    let results = gather(&suite, folder).unwrap();
    let reasons: Vec<&str> = results.failed.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["not possible: no such policy", "the engine broke", "not possible: no such policy"]
    );
    // What cannot be has a row without figures; what failed once has the other repeat.
    assert_eq!(results.rows.len(), 6);
    let impossible = results.rows.iter().find(|row| row.figures.is_empty()).unwrap();
    assert_eq!(
        (impossible.job.as_str(), impossible.label("policy")),
        ("compute", Some("priority"))
    );
    let note = "2 of 12 trials are not possible on this backend, and their rows have no figures: no \
                such policy";
    assert!(results.notes.iter().any(|found| found == note), "{:?}", results.notes);
    let all = op(over(Aggregate::Min, col("throughput")), BinaryOp::Gt, num(0.0));
    let verdict = decide_on(&claim("x", all), &results.rows, Backend::Twin);
    assert_eq!(verdict.outcome, Verdict::NotMeasurable, "{:?}", verdict.detail);
    let fifo = &results.rows[0].figures["throughput_per_s"];
    assert!(fifo.values[0].is_some() && fifo.values[1].is_none());
    assert!(results.rows[0].runs[1].is_empty());

    let course = suite.run(folder, &mut Fake::new(), &mut Count::default()).unwrap();
    assert_eq!((course.done, course.kept, course.failed.len()), (12, 9, 0));
}

#[test]
fn a_run_without_records_is_a_failure_and_no_perfect_run() {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(&Experiment { repeat: 1, ..experiment() });
    suite.begin(folder.path()).unwrap();
    let mut fake = Fake::new();
    fake.plan =
        Box::new(
            |trial, _| {
                if trial.id.contains("fifo") { Vec::new() } else { vec![(0.0, 1.0, 2.0, 0)] }
            },
        );
    let course = suite.run(folder.path(), &mut fake, &mut Count::default()).unwrap();
    assert_eq!(course.done, 4);
    for (id, reason) in course.failed {
        assert!(id.contains("fifo") && reason.contains("no record came in"), "{id}: {reason}");
    }
}

#[test]
fn a_trial_of_dead_records_is_a_failure_and_one_of_late_records_a_result() {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(&Experiment { repeat: 1, ..experiment() });
    suite.begin(folder.path()).unwrap();
    let mut fake = Fake::new();
    fake.lost = vec![
        ("fifo.rag", 150, 50),
        ("fifo.compute", 0, 200),
        ("priority.rag", 199, 0),
        ("priority.compute", 200, 0),
    ];
    let course = suite.run(folder.path(), &mut fake, &mut Count::default()).unwrap();
    assert_eq!(course.done, 4);
    let mut failed = course.failed;
    failed.sort();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert_eq!(failed[0].0, "policy-fifo.rag.r0");
    assert_eq!(
        failed[0].1,
        "no record succeeded: 200 of 200 records have no result (150 dead, 50 late); most often: \
         expression, \"division by zero\""
    );
    assert_eq!(failed[1].0, "policy-priority.compute.r0");
}

#[test]
fn a_result_that_cannot_be_read_is_named_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let suite = suite(&Experiment { repeat: 1, ..experiment() });
    suite.begin(folder).unwrap();
    suite.run(folder, &mut Fake::new(), &mut Count::default()).unwrap();
    assert!(suite.unreadable(folder).is_empty());
    let run = |number: usize| folder.join(RUNS).join(&suite.trials[number].id);
    let names: Vec<String> = suite.trials[..4].iter().map(|trial| trial.id.clone()).collect();
    fs::write(run(0).join("rag/metrics.json"), "{\"tasks_in\": 2").unwrap();
    fs::write(run(1).join("rag/metrics.json"), "{\"schema\": 99}").unwrap();
    fs::remove_file(run(2).join("rag/metrics.json")).unwrap();
    fs::write(run(3).join("ended.json"), "{").unwrap();
    let wrong = suite.unreadable(folder);
    assert_eq!(wrong.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), names);
    assert!(wrong[1].1.contains("it is of version 99, not 1"), "{wrong:?}");
    let results = gather(&suite, folder).unwrap();
    assert_eq!(results.failed.len(), 4);
    assert!(results.failed.iter().all(|(_, why)| why.starts_with("its result cannot be read")));
    let course = suite.run(folder, &mut Fake::new(), &mut Count::default()).unwrap();
    assert_eq!((course.done, course.kept, course.unreadable.len()), (6, 2, 4));
    assert!(suite.unreadable(folder).is_empty());
}

#[test]
fn an_interrupt_leaves_nothing_of_the_trial_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(&experiment());
    suite.begin(folder.path()).unwrap();
    let mut fake = Fake::new();
    let mut left = 3;
    fake.verdict = Box::new(move |_| {
        left -= 1;
        if left == 0 { Err(TrialError::Interrupted) } else { Ok(()) }
    });
    let course = suite.run(folder.path(), &mut fake, &mut Count::default()).unwrap();
    assert_eq!((course.done, course.interrupted), (2, true));
    let runs = fs::read_dir(folder.path().join(RUNS)).unwrap();
    assert_eq!(runs.count(), 2);
}

#[test]
fn only_results_stay_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(&Experiment { repeat: 1, ..together() });
    suite.begin(folder.path()).unwrap();
    suite.run(folder.path(), &mut Fake::new(), &mut Count::default()).unwrap();
    let run = folder.path().join(RUNS).join("fair-on.r0");
    let names = |path: &std::path::Path| {
        let entries = fs::read_dir(path).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&run), ["compute", "ended.json", "llm", "rag"]);
    assert_eq!(names(&run.join("rag")), ["metrics.json", "tasks.csv"]);
}

#[test]
fn another_experiment_is_not_taken_for_this_one() {
    let original = suite(&experiment());
    let mut share = original.clone();
    share.trials[0].jobs[0].share = 0.1 + 0.2;
    assert_eq!(original.differs(&share), Some("its settings"));
    assert_eq!(
        original.differs(&suite(&Experiment { repeat: 4, ..experiment() })),
        Some("the experiment")
    );
    let mut build = original.clone();
    build.build = "other".into();
    assert_eq!(original.differs(&build), Some("the build of sage-flow"));
    let mut source = original.clone();
    source.sources.insert("pipelines/rag.sage".into(), "1".into());
    assert_eq!(original.differs(&source), Some("a program of it"));
    // Numbers that are not exact in decimal are still the same after they were written.
    let folder = tempfile::tempdir().unwrap();
    let thirds = vec![Setting::Speeds(vec![1.0 / 3.0, 0.1 + 0.2]), Setting::Share(2.0 / 3.0)];
    let odd = suite(&Experiment { settings: thirds, ..experiment() });
    odd.begin(folder.path()).unwrap();
    assert_eq!(odd.differs(&Suite::open(folder.path()).unwrap().unwrap()), None);
    assert_eq!(Suite::open(&folder.path().join("nothing")).unwrap(), None);
    fs::write(folder.path().join("suite.json"), "{}").unwrap();
    let error = Suite::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("written by another version"), "{error}");
}
