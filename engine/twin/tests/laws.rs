//! What holds in every run, whatever the model: books that balance, times that add up, Little's law,
//! slots that are kept, and the same bytes for the same seed.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;
#[path = "common/random.rs"]
mod random;

use std::collections::BTreeMap;

use common::{digest, lives, run};
use proptest::prelude::*;
use random::any_model;
use sage_core::arrivals::Times;
use sage_core::event::{Event, Kind};
use sage_core::metrics::{Recorder, RecorderConfig, TaskRow};
use sage_dsl::experiment::Arrivals;
use sage_twin::model::Model;
use sage_twin::{Limits, simulate, simulate_within};

/// What the recorder of live runs makes of one job's events.
fn recorded(model: &Model, job: usize, events: &[Event]) -> (Recorder, Vec<TaskRow>) {
    let of = &model.jobs[job];
    let mut recorder = Recorder::new(RecorderConfig::new(of.nodes, of.slots, of.stages.clone()));
    let own = events.iter().filter(|event| usize::from(event.job) == job);
    let rows = own.filter_map(|event| recorder.observe(event)).collect();
    (recorder, rows)
}

/// Records that come in.
fn arriving(model: &Model, job: usize) -> u64 {
    let job = &model.jobs[job];
    match job.arrivals {
        Arrivals::Trace { .. } => {
            // A task comes with its first record.
            let tasks = (job.trace.len() as u64).div_ceil(u64::from(job.morsel));
            job.records.min(tasks * u64::from(job.morsel))
        }
        _ => job.records,
    }
}

/// Arrivals of the first job's tasks, and when the last record of each is there.
fn planned(model: &Model) -> Vec<(u64, u64)> {
    let job = &model.jobs[0];
    let records = Times::new(&job.arrivals, &job.trace, model.seed).take(job.records as usize);
    let times: Vec<u64> = records.map(|at| job.start_ns + at).collect();
    times.chunks(job.morsel as usize).map(|of| (of[0], of[of.len() - 1])).collect()
}

/// Tasks in the system, integrated over time: from the changes alone, without pairing them.
fn area(events: &[Event]) -> u128 {
    let mut changes: Vec<(u64, i64)> = events
        .iter()
        .filter_map(|event| match event.kind()? {
            Kind::Arrived => Some((event.at_ns, 1)),
            Kind::Completed | Kind::Shed => Some((event.at_ns, -1)),
            _ => None,
        })
        .collect();
    changes.sort_unstable();
    let (mut area, mut inside, mut last) = (0, 0_i64, 0);
    for (at, change) in changes {
        area += inside as u128 * u128::from(at - last);
        (inside, last) = (inside + change, at);
    }
    assert_eq!(inside, 0, "somebody is still inside");
    area
}

/// Tasks that run on each node of each job never exceed its slots, those it holds never its window.
fn keeps_slots(model: &Model, events: &[Event]) -> Result<(), TestCaseError> {
    let mut running: BTreeMap<(u16, u32), i64> = BTreeMap::new();
    let mut held: BTreeMap<(u16, u32), i64> = BTreeMap::new();
    let mut node_of: BTreeMap<(u16, u64), u32> = BTreeMap::new();
    for event in events {
        let slots = i64::from(model.jobs[usize::from(event.job)].slots);
        let task = (event.job, event.task);
        match event.kind().unwrap() {
            Kind::Decided if event.detail == 0 => {
                node_of.insert(task, event.node);
                let held = held.entry((event.job, event.node)).or_default();
                *held += 1;
                prop_assert!(*held <= slots + 2, "{held} tasks for {slots} slots");
            }
            Kind::Started if node_of.contains_key(&task) => {
                let running = running.entry((event.job, event.node)).or_default();
                *running += 1;
                prop_assert!(*running <= slots, "{running} tasks in {slots} slots");
            }
            Kind::Completed | Kind::Shed => {
                if let Some(node) = node_of.remove(&task) {
                    prop_assert_eq!(node, event.node);
                    *running.get_mut(&(event.job, node)).unwrap() -= 1;
                    *held.get_mut(&(event.job, node)).unwrap() -= 1;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn the_books_balance_and_times_add_up(model in any_model(false)) {
        let (events, outcome) = run(&model);
        prop_assert_eq!(outcome.events, events.len() as u64);
        for job in 0..model.jobs.len() {
            let (recorder, rows) = recorded(&model, job, &events);
            let counts = recorder.counts();
            prop_assert_eq!(counts.tasks_in, arriving(&model, job));
            prop_assert_eq!(counts.tasks_pending, 0);
            prop_assert_eq!(counts.tasks_in, counts.tasks_ok + counts.tasks_dead + counts.tasks_late);
            prop_assert_eq!(rows.len() as u64, outcome.jobs[job].tasks);
            for row in &rows {
                if let Some(parts) = row.split_ns() {
                    prop_assert_eq!(parts.iter().sum::<u64>(), row.latency_ns());
                }
            }
            let last = rows.iter().map(|row| row.finished_ns).max();
            prop_assert_eq!(outcome.jobs[job].finished_ns, last.unwrap_or(model.jobs[job].start_ns));
        }
        for life in lives(&events).values() {
            prop_assert_eq!(life.ends, 1);
            let times = [life.arrived, life.decided, life.dispatched, life.started, life.ended];
            let known: Vec<u64> = times.into_iter().flatten().collect();
            prop_assert!(known.is_sorted(), "{:?}", life);
            // All but those that were refused in the queue went the whole way.
            prop_assert!(life.started.is_some() || life.late);
        }
        for ((_, life), (arrives, complete)) in lives(&events).range((0, 0)..(1, 0)).zip(planned(&model)) {
            prop_assert_eq!(life.arrived, Some(arrives));
            let next = life.decided.or(life.ended).unwrap();
            prop_assert!(next >= complete, "{:?} before {}", life, complete);
        }
        let others = events.iter().filter(|event| event.kind() != Some(Kind::Arrived));
        prop_assert!(others.map(|event| event.at_ns).is_sorted());
    }

    #[test]
    fn littles_law_holds_exactly(model in any_model(false)) {
        let (events, _) = run(&model);
        // L = lambda W over the whole run is: the area under the number inside is the sum of times.
        let times: u128 = lives(&events).values().map(|life| u128::from(life.latency())).sum();
        prop_assert_eq!(area(&events), times);
    }

    #[test]
    fn no_node_works_on_more_than_it_has_slots(model in any_model(false)) {
        let (events, _) = run(&model);
        keeps_slots(&model, &events)?;
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes(model in any_model(true)) {
        let (events, outcome) = run(&model);
        let (again, same) = run(&model.clone());
        prop_assert_eq!(digest(&events), digest(&again));
        prop_assert_eq!(outcome, same);
    }

    #[test]
    fn processors_give_no_more_than_they_have(model in any_model(false)) {
        let (_, outcome) = run(&model);
        for (number, host) in model.hosts.iter().enumerate() {
            let nodes = model.nodes.iter().zip(&outcome.nodes).filter(|(node, _)| node.host == number);
            let gateway = if number == 0 { outcome.gateway_busy_ns } else { 0 };
            let busy: u64 = nodes.map(|(_, used)| used.cpu_busy_ns).sum::<u64>() + gateway;
            let most = host.cores * outcome.end_ns as f64;
            // The gateway may be at a call that nobody waits for any more.
            let slack = model.overheads.gateway_ns as f64 + 2.0 * model.jobs.len() as f64 + 1.0;
            prop_assert!(busy as f64 <= most + slack, "{busy} of {most}");
        }
    }

    #[test]
    fn nodes_that_are_lost_lose_no_record(model in any_model(true)) {
        let (events, outcome) = run(&model);
        for job in 0..model.jobs.len() {
            let (recorder, rows) = recorded(&model, job, &events);
            let counts = recorder.counts();
            prop_assert_eq!(counts.tasks_in, arriving(&model, job));
            prop_assert_eq!(counts.tasks_pending, 0);
            prop_assert_eq!(rows.len() as u64, outcome.jobs[job].tasks);
        }
        for life in lives(&events).values() {
            // One that came back may end once more, by its deadline without a decision.
            prop_assert!(life.ends >= 1 && life.ends <= life.lives + 1, "{:?}", life);
        }
        prop_assert_eq!(outcome.violations, 0);
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let line =
        common::job(common::demands((1..40).map(|n| sage_twin::model::Work::Wait(n * 1000))));
    let line = sage_twin::model::Job { arrivals: Arrivals::Poisson { per_s: 1e5 }, ..line };
    let mut model = common::model(1, vec![line]);
    let first = digest(&run(&model).0);
    model.seed += 1;
    assert_ne!(first, digest(&run(&model).0));
    // A policy that draws, under arrivals that do not.
    let waits = (1..40).map(|_| sage_twin::model::Work::Wait(1000));
    let random = sage_twin::model::Job {
        nodes: 4,
        policy: "random".into(),
        ..common::job(common::demands(waits))
    };
    let mut model = common::model(4, vec![random]);
    let first = digest(&run(&model).0);
    model.seed += 1;
    assert_ne!(first, digest(&run(&model).0));
}

#[test]
fn a_run_that_goes_on_too_long_is_an_error() {
    let line = common::job(common::demands((0..100).map(|_| sage_twin::model::Work::Wait(1000))));
    let model = common::model(1, vec![line]);
    let steps = simulate(&model, &mut |_| {}).unwrap().steps;
    assert!(steps < Limits::of(&model).steps / 10);
    assert!(simulate_within(&model, Limits { steps }, &mut |_| {}).is_ok());
    let error = simulate_within(&model, Limits { steps: 50 }, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("within 50 steps"), "{error}");
}
