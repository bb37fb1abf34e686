//! Every policy of the registry keeps its promises in whole runs, as it does in `core/tests`.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;

use std::collections::BTreeMap;

use common::{MS, demands, exponential, job, lives, model, run};
use sage_core::event::{Event, Kind};
use sage_core::policies::{POLICIES, find, parse};
use sage_dsl::catalog::Kind as Parameter;
use sage_dsl::experiment::Arrivals;
use sage_twin::model::{Job, Work};

/// Every registry entry with its defaults, and every word of a parameter that takes words.
fn variants() -> Vec<String> {
    let mut all = Vec::new();
    for spec in POLICIES {
        let name = spec.signature.name;
        all.push(name.to_owned());
        for param in spec.signature.params {
            if let Parameter::Word(words) = param.kind {
                all.extend(words.iter().map(|word| format!("{name}({}: {word})", param.name)));
            }
        }
    }
    all
}

/// Waits of different length under bursts; then a node's thread is never what a task waits for.
fn load(text: &str, per_s: f64) -> Job {
    let (policy, policy_args) = parse(text).unwrap();
    let line = job(demands(exponential(10.0 * MS as f64, 400, 5).into_iter().map(Work::Wait)));
    let mut demands = line.demands.to_vec();
    for (number, demand) in demands.iter_mut().enumerate() {
        demand.priority = number as i64 % 3;
        demand.due_ns = Some((5 + number as u64 % 40) * MS);
        demand.flow = number as u64 % 4;
        demand.affinity = number as u64 % 5;
        if let Work::Wait(ns) = demand.work[0] {
            (demand.expected_ns, demand.critical_ns) = (Some(ns), Some(ns));
        }
    }
    let arrivals = Arrivals::Poisson { per_s };
    Job { policy, policy_args, nodes: 4, slots: 2, arrivals, demands: demands.into(), ..line }
}

/// The first moment at whose end a task is queued while some node has a free slot.
fn idle_beside_work(events: &[Event], nodes: u32, slots: i64) -> Option<u64> {
    let mut queued = 0_i64;
    let mut held: BTreeMap<u32, i64> = (0..nodes).map(|node| (node, 0)).collect();
    for (at, event) in events.iter().enumerate() {
        match event.kind()? {
            Kind::Arrived => queued += 1,
            Kind::Decided => {
                queued -= 1;
                *held.get_mut(&event.node)? += 1;
            }
            Kind::Completed => *held.get_mut(&event.node)? -= 1,
            Kind::Shed => queued -= 1,
            _ => {}
        }
        let over = events.get(at + 1).is_none_or(|next| next.at_ns > event.at_ns);
        if over && queued > 0 && held.values().any(|held| *held < slots) {
            return Some(event.at_ns);
        }
    }
    None
}

#[test]
fn work_conserving_policies_leave_no_slot_free_beside_a_queue() {
    for text in variants() {
        let promises = find(&parse(&text).unwrap().0).unwrap().promises;
        for per_s in [300.0, 700.0, 2_000.0] {
            let (events, outcome) = run(&model(4, vec![load(&text, per_s)]));
            assert_eq!(outcome.violations, 0, "{text}");
            let idle = idle_beside_work(&events, 4, 2);
            assert!(idle.is_none() || !promises.work_conserving, "{text}: idle at {idle:?}");
        }
    }
}

#[test]
fn every_policy_ends_every_task_on_nodes_that_compute() {
    for text in variants() {
        let mut load = load(&text, 700.0);
        load.behind = vec![common::local(&[0])];
        let computing = load.demands.iter().cloned().map(|mut demand| {
            if let Work::Wait(ns) = demand.work[0] {
                demand.work[0] = Work::Cpu(ns);
            }
            demand
        });
        load.demands = computing.collect();
        let mut model = model(4, vec![load]);
        model.overheads = sage_twin::model::Overheads::default();
        let (events, outcome) = run(&model);
        let lives = lives(&events);
        assert_eq!((lives.len(), outcome.violations), (400, 0), "{text}");
        assert!(lives.values().all(|life| life.ends == 1), "{text}");
    }
}

#[test]
fn policies_that_keep_the_order_start_tasks_in_it() {
    for text in variants() {
        let promises = find(&parse(&text).unwrap().0).unwrap().promises;
        if !promises.keeps_order {
            continue;
        }
        let (events, _) = run(&model(4, vec![load(&text, 2_000.0)]));
        let decided = events.iter().filter(|event| event.kind() == Some(Kind::Decided));
        assert!(decided.map(|event| event.task).is_sorted(), "{text}");
    }
}
