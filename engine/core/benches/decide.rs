//! Nanoseconds a decision costs, per policy, at 16, 256 and 1024 workers.
//!
//! `cargo bench -p sage-core --bench decide`. A plain program: each sample times a batch of
//! decisions on a fleet in steady state, where every decision is followed by the completion of the
//! oldest task. `place` is the policy alone, `next` the whole scheduler step with its completion.
//! Tasks come from a hundred tenants, have one of a thousand affinity keys, and differ in length and
//! due time, so that each policy has something to look at. Gaps in time are over at once: what is
//! measured is a decision, not the wait for it.

#![expect(clippy::print_stdout, reason = "the figures are what the program is for")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use sage_core::policies::{POLICIES, build, parse};
use sage_core::schedule::{Fleet, FleetConfig, Outcome, Policy, Scheduler, Task, Worker};

const SAMPLES: usize = 400;
const BATCH: u64 = 256;

fn main() {
    // `cargo test --benches` runs this as well; it only has to work there.
    let samples = if std::env::args().any(|arg| arg == "--bench") { SAMPLES } else { 2 };
    println!(
        "{:<16}{:>8}{:>30}{:>30}",
        "ns/decision", "workers", "place p50 / p99", "next p50 / p99"
    );
    for spec in POLICIES {
        for workers in [16, 256, 1024] {
            let name = spec.signature.name;
            let [place50, place99] = quantiles(place(name, workers, samples));
            let [next50, next99] = quantiles(next(name, workers, samples));
            println!(
                "{name:<16}{workers:>8}{:>30}{:>30}",
                format!("{place50:.0} / {place99:.0}"),
                format!("{next50:.0} / {next99:.0}")
            );
        }
    }
}

/// What arrives at its number in nanoseconds.
fn task(id: u64) -> Task {
    Task {
        priority: (id % 5) as i64,
        expected_ns: Some(1_000 + id % 77),
        due_ns: Some(id + 50_000 + id * 7919 % 10_000),
        flow: 1 + id % 100,
        affinity: 1 + id * 7919 % 1_000,
        critical_ns: Some(1_000 + id % 77),
        ..Task::new(id, id)
    }
}

/// The policy with its defaults, but one that spaces tasks in time does so by a nanosecond.
fn policy(name: &str) -> Box<dyn Policy> {
    let (name, args) = if name == "staggered" {
        parse("staggered(gap: 1ns)").expect("this is how a policy is written")
    } else {
        (name.to_owned(), Vec::new())
    };
    build(&name, &args).expect("a policy builds from its defaults")
}

/// The policy alone, on a fleet that is nearly three quarters full.
fn place(name: &str, workers: usize, samples: usize) -> Vec<f64> {
    let mut policy = policy(name);
    let row = |number: usize| {
        let mut worker = Worker::new(8, 2);
        worker.in_flight = 3 + (number * 7 % 6) as u32;
        worker.assigned = number as u64 * 13 % 101;
        worker.ewma_service_ns = Some(1e9 + number as f64);
        worker.work_left_ns = 1e9 * f64::from(worker.in_flight);
        worker
    };
    let mut fleet = Fleet::of((0..workers).map(row).collect());
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    timed(samples, |id| {
        fleet.now_ns = id;
        black_box(policy.place(&task(id), black_box(&fleet), &mut rng));
    })
}

/// Arrival, decision and completion through the scheduler.
fn next(name: &str, workers: usize, samples: usize) -> Vec<f64> {
    let fleet = FleetConfig::new(workers, 8);
    let mut scheduler = Scheduler::new(policy(name), &fleet, 1, 1 << 20, None);
    let mut running = VecDeque::new();
    let steady = workers * 6;
    timed(samples, |id| {
        black_box(scheduler.arrive(task(id), id).is_ok());
        while let Some(decision) = scheduler.next(id) {
            if let Outcome::Placed { worker } = decision.outcome {
                running.push_back((decision.task.id, worker));
            }
        }
        while running.len() > steady {
            if let Some((task, worker)) = running.pop_front() {
                black_box(scheduler.complete(task, worker, 1_000 + id % 77, true, id).is_ok());
            }
        }
    })
}

fn timed(samples: usize, mut step: impl FnMut(u64)) -> Vec<f64> {
    let mut id = 0;
    let mut batch = || {
        let start = Instant::now();
        for _ in 0..BATCH {
            step(id);
            id += 1;
        }
        start.elapsed().as_nanos() as f64 / BATCH as f64
    };
    // The first tenth fills the fleet and the caches.
    for _ in 0..samples / 10 {
        batch();
    }
    (0..samples).map(|_| batch()).collect()
}

fn quantiles(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [values.len() / 2, values.len() * 99 / 100].map(|at| values[at])
}
