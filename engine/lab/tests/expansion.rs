//! Trials of an experiment: which, with what settings, in which order.

#![allow(clippy::unwrap_used, reason = "a test fails where it must not go on")]

mod common;

use std::collections::HashSet;

use common::{experiment, job, nodes, policies, sweep, together};
use proptest::prelude::*;
use sage_dsl::experiment::{Experiment, Setting};
use sage_dsl::types::Value;
use sage_lab::trial::{Design, MOST_TRIALS, Overrides, Trial, expand, shuffled};

fn design(experiment: &Experiment) -> Design {
    expand(experiment, false, &Overrides::default()).unwrap()
}

fn ids(trials: &[Trial]) -> Vec<&str> {
    trials.iter().map(|trial| trial.id.as_str()).collect()
}

#[test]
fn jobs_in_turn_are_a_dimension_and_repeats_are_outermost() {
    let design = design(&Experiment { repeat: 2, ..experiment() });
    assert_eq!(design.dimensions, ["job", "policy"]);
    insta::assert_snapshot!(ids(&design.trials).join("\n"), @r"
    policy-fifo.rag.r0
    policy-load_aware-spread.rag.r0
    policy-priority.rag.r0
    policy-fifo.compute.r0
    policy-load_aware-spread.compute.r0
    policy-priority.compute.r0
    policy-fifo.rag.r1
    policy-load_aware-spread.rag.r1
    policy-priority.rag.r1
    policy-fifo.compute.r1
    policy-load_aware-spread.compute.r1
    policy-priority.compute.r1
    ");
    let text = serde_json::to_string_pretty(&design.trials[4]).unwrap();
    insta::assert_snapshot!(text, @r#"
    {
      "id": "policy-load_aware-spread.compute.r0",
      "experiment": "exp2b",
      "point": [
        [
          "job",
          "compute"
        ],
        [
          "policy",
          "load_aware(spread)"
        ]
      ],
      "repeat": 0,
      "seed": 7,
      "jobs": [
        {
          "name": "compute",
          "flow": "compute",
          "file": "pipelines/compute.sage",
          "params": [],
          "tasks": 200,
          "nodes": 4,
          "slots": 16,
          "policy": [
            "load_aware",
            []
          ],
          "concurrency": null,
          "endpoint": null,
          "arrivals": "batch",
          "start_ns": 0,
          "share": 1.0,
          "deadline_ns": null,
          "queue": null
        }
      ],
      "fair": true,
      "speeds": [],
      "failures": [],
      "solo": false
    }
    "#);
}

#[test]
fn jobs_together_start_one_after_the_other_and_each_runs_alone_once() {
    let design = design(&Experiment { repeat: 1, ..together() });
    assert_eq!(design.dimensions, ["fair"]);
    insta::assert_snapshot!(ids(&design.trials).join("\n"), @r"
    fair-on.r0
    fair-off.r0
    solo.rag.r0
    solo.compute.r0
    solo.llm.r0
    ");
    let starts: Vec<_> = design.trials[0].jobs.iter().map(|job| job.start_ns).collect();
    assert_eq!(starts, [0, 2_000_000_000, 4_000_000_000]);
    assert!(!design.trials[1].fair);
    assert!(design.trials[4].solo && design.trials[4].point.is_empty());
}

#[test]
fn what_matters_alone_makes_solo_runs_of_its_own() {
    let mut experiment = Experiment { repeat: 1, ..together() };
    experiment.sweeps.push(nodes(&[2, 4]));
    // The same flow twice does the same alone; one run serves both.
    experiment.jobs = vec![job("rag", vec![]), job("again", vec![])];
    experiment.jobs[1].flow = "rag".into();
    experiment.jobs[1].file = "pipelines/rag.sage".into();
    let design = design(&experiment);
    insta::assert_snapshot!(ids(&design.trials).join("\n"), @r"
    fair-on.nodes-2.r0
    fair-on.nodes-4.r0
    fair-off.nodes-2.r0
    fair-off.nodes-4.r0
    solo.nodes-2.rag.r0
    solo.nodes-4.rag.r0
    ");
    assert_eq!(design.trials[4].point, [("nodes".to_owned(), "2".to_owned())]);
}

#[test]
fn of_several_layers_the_innermost_wins() {
    let tasks = |n| vec![Setting::Tasks(n)];
    let param = |n| Setting::Param { name: "load".into(), value: Value::Int(n) };
    let mut experiment = Experiment {
        jobs: vec![job("plain", vec![]), job("own", vec![Setting::Tasks(3), param(3)])],
        settings: vec![Setting::Tasks(1), param(1), Setting::Slots(9)],
        sweeps: vec![sweep("load", vec![("low", vec![Setting::Tasks(2), param(2)])])],
        repeat: 1,
        ..experiment()
    };
    let of = |experiment: &Experiment, quick, overrides: &Overrides| {
        let design = expand(experiment, quick, overrides).unwrap();
        let jobs = design.trials.iter().map(|trial| &trial.jobs[0]);
        jobs.map(|job| (job.tasks, job.params.clone())).collect::<Vec<_>>()
    };
    let load = |n| vec![("load".to_owned(), Value::Int(n))];
    let none = Overrides::default();
    assert_eq!(of(&experiment, false, &none), [(Some(2), load(2)), (Some(3), load(3))]);
    experiment.quick = tasks(4);
    assert_eq!(of(&experiment, true, &none), [(Some(4), load(2)), (Some(4), load(3))]);
    let forced = Overrides { vary: vec![sweep("tasks", vec![("5", tasks(5))])], ..none };
    assert_eq!(of(&experiment, true, &forced), [(Some(5), load(2)), (Some(5), load(3))]);
}

#[test]
fn the_command_line_takes_the_place_of_a_sweep_or_adds_one() {
    let experiment = Experiment { repeat: 1, jobs: vec![job("rag", vec![])], ..experiment() };
    let vary = |vary| Overrides { vary, ..Overrides::default() };
    let other = expand(&experiment, false, &vary(vec![policies(&["edf"])])).unwrap();
    assert_eq!(ids(&other.trials), ["policy-edf.rag.r0"]);
    let more = expand(&experiment, false, &vary(vec![nodes(&[1, 2])])).unwrap();
    assert_eq!(more.dimensions, ["policy", "nodes"]);
    assert_eq!(more.trials.len(), 6);
    let counts: Vec<_> = more.trials.iter().map(|trial| trial.jobs[0].nodes).collect();
    assert_eq!(counts, [1, 2, 1, 2, 1, 2]);
    let one = expand(&experiment, false, &vary(vec![nodes(&[8])])).unwrap();
    assert_eq!(one.dimensions, ["policy"]);
    assert!(one.trials.iter().all(|trial| trial.jobs[0].nodes == 8));
}

#[test]
fn a_quick_run_keeps_fewer_points_and_drops_a_sweep_that_it_settles() {
    let mut experiment = Experiment {
        sweeps: vec![nodes(&[1, 4, 8]), policies(&["fifo", "edf"])],
        jobs: vec![job("rag", vec![])],
        quick_repeat: Some(1),
        quick_points: vec![("nodes".into(), vec!["1".into(), "8".into()])],
        ..experiment()
    };
    let quick = expand(&experiment, true, &Overrides::default()).unwrap();
    assert_eq!(quick.trials.len(), 4);
    assert_eq!(design(&experiment).trials.len(), 30);
    experiment.quick = vec![Setting::Nodes(2)];
    let quick = expand(&experiment, true, &Overrides::default()).unwrap();
    assert_eq!(ids(&quick.trials), ["policy-fifo.rag.r0", "policy-edf.rag.r0"]);
    assert_eq!(quick.notes, ["`nodes` is not varied: it is set for all trials"]);
}

#[test]
fn a_mix_chooses_the_jobs_that_run() {
    let mix =
        |names: &[&str]| vec![Setting::Jobs(names.iter().map(|name| (*name).to_owned()).collect())];
    let mixes = sweep("jobs", vec![("light", mix(&["rag"])), ("both", mix(&["rag", "llm"]))]);
    let mut experiment = Experiment { sweeps: vec![mixes], repeat: 1, ..together() };
    insta::assert_snapshot!(ids(&design(&experiment).trials).join("\n"), @r"
    jobs-light.rag.r0
    jobs-both.r0
    solo.rag.r0
    solo.llm.r0
    ");
    experiment.settings.retain(|setting| !matches!(setting, Setting::Together(_)));
    insta::assert_snapshot!(ids(&design(&experiment).trials).join("\n"), @r"
    jobs-light.rag.r0
    jobs-both.rag.r0
    jobs-both.llm.r0
    ");
    experiment.sweeps[0].points[0].settings = mix(&["nobody"]);
    let error = expand(&experiment, false, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("has no job `nobody`"), "{error}");
    let all = Experiment { jobs: vec![job("all", vec![])], ..together() };
    let error = expand(&all, false, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("cannot be called `all`"), "{error}");
}

#[test]
fn only_some_trials_can_be_asked_for() {
    let only = |pattern: &str| {
        let only = Some(pattern.to_owned());
        expand(&experiment(), false, &Overrides { only, ..Overrides::default() })
    };
    assert_eq!(only("policy-fifo*").unwrap().trials.len(), 10);
    assert_eq!(only("*.rag.r4").unwrap().trials.len(), 3);
    assert_eq!(only("policy-fifo.rag.r0").unwrap().trials.len(), 1);
    assert!(only("nothing*").unwrap_err().to_string().contains("no trial that matches"));
}

#[test]
fn too_many_trials_are_refused_before_they_are_made() {
    let points: Vec<u32> = (1..=1000).collect();
    let mut huge = Experiment { sweeps: vec![nodes(&points), nodes(&points)], ..experiment() };
    huge.sweeps[1].name = "slots".into();
    let error = expand(&huge, false, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("more than {MOST_TRIALS} trials")), "{error}");
}

proptest! {
    #[test]
    fn every_combination_is_there_once_and_seeds_are_paired(
        labels in prop::collection::vec(1_usize..4, 0..4),
        jobs in 1_usize..4,
        repeat in 1_u32..4,
        seed in any::<u64>(),
        together in any::<bool>(),
    ) {
        let sweeps = labels.iter().enumerate().map(|(number, points)| {
            let names: Vec<String> = (0..*points).map(|point| format!("l {point}/")).collect();
            let points = names.iter().map(|name| (name.as_str(), vec![Setting::Queue(9)]));
            sweep(&format!("d{number}"), points.collect())
        });
        let names = ["a", "b", "c"];
        let experiment = Experiment {
            sweeps: sweeps.collect(),
            jobs: names[..jobs].iter().map(|name| job(name, vec![])).collect(),
            settings: vec![Setting::Together(together)],
            repeat,
            seed,
            ..experiment()
        };
        let design = design(&experiment);
        let asked: Vec<&Trial> = design.trials.iter().filter(|trial| !trial.solo).collect();
        let combinations: usize = labels.iter().product();
        let in_turn = if together { 1 } else { jobs };
        prop_assert_eq!(asked.len(), combinations * in_turn * repeat as usize);
        let ids: HashSet<&str> = design.trials.iter().map(|trial| trial.id.as_str()).collect();
        prop_assert_eq!(ids.len(), design.trials.len());
        for trial in &design.trials {
            prop_assert_eq!(trial.seed, seed.wrapping_add(u64::from(trial.repeat)));
            let safe = |c: char| c.is_ascii_alphanumeric() || "-_.~+".contains(c);
            prop_assert!(trial.id.chars().all(safe) && !trial.id.starts_with('.'), "{}", trial.id);
        }
        // The order that is run is one of all trials, repeat by repeat.
        let order = shuffled(&design.trials);
        let repeats: Vec<u32> = order.iter().map(|at| design.trials[*at].repeat).collect();
        prop_assert!(repeats.is_sorted());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..design.trials.len()).collect::<Vec<_>>());
        prop_assert_eq!(order, shuffled(&design.trials));
    }
}
