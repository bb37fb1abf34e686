//! The twin against queueing theory: exact recursions record by record, and the formulas on long
//! runs. The server of the theory is a slot of a node, its service a wait or a computation.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;

use common::{MS, demands, exponential, job, lives, local, model, run};
use proptest::prelude::*;
use sage_core::arrivals::Times;
use sage_core::distribution::{Distribution, Drawn};
use sage_core::event::Kind;
use sage_dsl::experiment::Arrivals;
use sage_twin::model::{Job, Model, Work};
use sage_twin::simulate;

/// Waiting times of a line before `servers` places, first come first served: Kiefer and Wolfowitz
/// (1955); with one place it is Lindley's recursion (1952).
fn waits(arrivals: &[u64], services: &[u64], servers: usize) -> Vec<u64> {
    let mut free = vec![0_u64; servers];
    let wait = |(arrival, service): (&u64, &u64)| {
        let first = free.iter_mut().min().unwrap();
        let start = (*first).max(*arrival);
        *first = start + service;
        start - arrival
    };
    arrivals.iter().zip(services).map(wait).collect()
}

fn trace(arrivals: &[u64], job: Job) -> Job {
    Job { arrivals: Arrivals::Trace { path: String::new() }, trace: arrivals.into(), ..job }
}

fn found(job: Job) -> Vec<u64> {
    let (events, outcome) = run(&model(1, vec![job]));
    let lives = lives(&events);
    assert_eq!(outcome.jobs[0].tasks, lives.len() as u64);
    lives.values().map(common::Life::wait).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_line_before_slots_is_that_of_the_recursion(
        gaps in proptest::collection::vec((0_u64..20, 0_u64..60), 1..120),
        slots in 1_u32..5, queue in 1_u32..200,
    ) {
        let arrivals: Vec<u64> = gaps.iter().scan(0, |now, (gap, _)| {
            *now += gap;
            Some(*now)
        }).collect();
        let services: Vec<u64> = gaps.iter().map(|(_, service)| *service).collect();
        let expected = waits(&arrivals, &services, slots as usize);
        let waiting = job(demands(services.iter().map(|ns| Work::Wait(*ns))));
        let waiting = trace(&arrivals, Job { slots, queue, ..waiting });
        prop_assert_eq!(found(waiting), expected);
    }

    #[test]
    fn a_thread_that_computes_is_a_server_too(
        gaps in proptest::collection::vec((0_u64..2_000, 0_u64..3_000), 1..120),
        speed in prop_oneof![Just(1.0), Just(0.5), Just(2.0)],
    ) {
        let arrivals: Vec<u64> = gaps.iter().scan(0, |now, (gap, _)| {
            *now += 2 * gap;
            Some(*now)
        }).collect();
        let works: Vec<u64> = gaps.iter().map(|(_, work)| 2 * work).collect();
        let services: Vec<u64> = works.iter().map(|work| (*work as f64 / speed) as u64).collect();
        let expected = waits(&arrivals, &services, 1);
        let computing = job(demands(works.into_iter().map(Work::Cpu)));
        let computing = trace(&arrivals, Job { behind: vec![local(&[0])], ..computing });
        let mut model = model(1, vec![computing]);
        model.nodes[0].speed = speed;
        let (events, outcome) = run(&model);
        let found: Vec<u64> = lives(&events).values().map(common::Life::wait).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(outcome.nodes[0].cpu_busy_ns, services.iter().sum::<u64>());
    }
}

/// Nodes with a window each, by brute force: at every arrival and every end all that can be decided
/// is, to the first node with a free slot, else to the first with room in its window.
fn starts_of_fifo(
    arrivals: &[u64],
    services: &[u64],
    nodes: usize,
    slots: usize,
) -> Vec<(usize, u64)> {
    let mut placed: Vec<Option<(usize, u64)>> = vec![None; arrivals.len()];
    // Tasks of each node in order of their coming, with their ends once they have begun.
    let mut held: Vec<Vec<(usize, Option<u64>)>> = vec![Vec::new(); nodes];
    let mut now = 0;
    loop {
        for node in &mut held {
            node.retain(|(_, end)| end.is_none_or(|end| end > now));
            for at in 0..node.len().min(slots) {
                let (task, end) = &mut node[at];
                if end.is_none() {
                    *end = Some(now + services[*task]);
                    placed[*task].as_mut().unwrap().1 = now;
                }
            }
        }
        let next = (0..arrivals.len()).find(|task| placed[*task].is_none());
        let arrived = next.filter(|task| arrivals[*task] <= now);
        let room = |most: usize| held.iter().position(|node| node.len() < most);
        if let (Some(task), Some(node)) = (arrived, room(slots).or_else(|| room(slots + 2))) {
            placed[task] = Some((node, 0));
            held[node].push((task, None));
            continue;
        }
        let ends = held.iter().flatten().filter_map(|(_, end)| *end);
        let Some(later) = ends.chain(arrivals.iter().copied()).filter(|at| *at > now).min() else {
            return placed.into_iter().map(Option::unwrap).collect();
        };
        now = later;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn several_nodes_with_windows_do_what_brute_force_does(
        // Long and odd times, so that no two things fall on one moment.
        gaps in proptest::collection::vec((0_u64..1 << 40, 0_u64..1 << 42), 1..60),
        nodes in 1_usize..5, slots in 1_u32..4,
    ) {
        let arrivals: Vec<u64> = gaps.iter().scan(0, |now, (gap, _)| {
            *now += gap;
            Some(*now)
        }).collect();
        let services: Vec<u64> = gaps.iter().map(|(_, service)| *service).collect();
        let expected = starts_of_fifo(&arrivals, &services, nodes, slots as usize);
        let waiting = job(demands(services.iter().map(|ns| Work::Wait(*ns))));
        let (events, _) = run(&model(nodes, vec![trace(&arrivals, Job { nodes, slots, ..waiting })]));
        let found = lives(&events).into_values().map(|life| (life.node as usize, life.started.unwrap()));
        prop_assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}

/// Mean wait over mean service at this load, over several long runs with services of their own. The
/// mean of one such run still varies by about 3 %.
fn relative_wait(load: f64, slots: u32, services: impl Fn(u64) -> Vec<u64>) -> f64 {
    let runs = 0..3;
    let one = |seed| wait_of_one_run(load, services(seed + 100), slots, seed);
    runs.clone().map(one).sum::<f64>() / runs.count() as f64
}

fn wait_of_one_run(load: f64, services: Vec<u64>, slots: u32, seed: u64) -> f64 {
    let number = services.len() as f64;
    let mean = services.iter().sum::<u64>() as f64 / number;
    let per_s = load * f64::from(slots) / mean * 1e9;
    let line = job(demands(services.into_iter().map(Work::Wait)));
    let line = Job { arrivals: Arrivals::Poisson { per_s }, slots, ..line };
    let mut model = model(1, vec![line]);
    model.seed = seed;
    let (mut arrived, mut started) = (0_u128, 0_u128);
    simulate(&model, &mut |event| match event.kind() {
        Some(Kind::Arrived) => arrived += u128::from(event.at_ns),
        Some(Kind::Started) => started += u128::from(event.at_ns),
        _ => {}
    })
    .unwrap();
    (started - arrived) as f64 / number / mean
}

fn assert_close(found: f64, formula: f64) {
    assert!((found / formula - 1.0).abs() < 0.05, "{found} is not {formula}");
}

const LONG: usize = 60_000;
const LOAD: f64 = 0.6;

fn random(seed: u64) -> Vec<u64> {
    exponential(10.0 * MS as f64, LONG, seed)
}

#[test]
fn one_server_with_exponential_service_waits_as_the_formula_says() {
    assert_close(relative_wait(LOAD, 1, random), LOAD / (1.0 - LOAD));
}

#[test]
fn one_server_with_constant_service_waits_half_as_long() {
    let constant = |_| vec![10 * MS; LONG];
    assert_close(relative_wait(LOAD, 1, constant), LOAD / (1.0 - LOAD) / 2.0);
}

#[test]
fn several_servers_wait_as_erlang_says() {
    let (servers, load) = (4, LOAD);
    let offered = load * f64::from(servers);
    let term = |k: u32| (1..=k).map(|i| offered / f64::from(i)).product::<f64>();
    let all_busy = term(servers) / (1.0 - load);
    let erlang_c = all_busy / ((0..servers).map(term).sum::<f64>() + all_busy);
    let formula = erlang_c / (f64::from(servers) * (1.0 - load));
    assert_close(relative_wait(load, servers, random), formula);
}

/// A computation with exponential times of 10 ms behind 90 Poisson arrivals a second, on one slot.
fn drawn(seed: u64, records: u64) -> Model {
    let from = Distribution::Exponential(10.0 * MS as f64);
    let work = Work::Drawn(Arc::new(Drawn::plain(from, seed)));
    let job = Job {
        arrivals: Arrivals::Poisson { per_s: 90.0 },
        behind: vec![local(&[0])],
        queue: 1_000_000,
        records,
        // One demand for all: what is drawn must not repeat with it.
        ..job(demands([work]))
    };
    Model { seed, ..model(1, vec![job]) }
}

/// The mean latency by the recursion, nanoseconds.
fn mean_of_recursion(arrivals: &[u64], costs: &Drawn) -> f64 {
    let services: Vec<u64> = (0..arrivals.len() as u64).map(|task| costs.ns(task)).collect();
    let waited: u64 = waits(arrivals, &services, 1).iter().sum();
    (waited + services.iter().sum::<u64>()) as f64 / arrivals.len() as f64
}

/// A mean of 200 000 latencies of M/M/1 at 90 % has a standard error of 4.2 % of the theory's.
const RECORDS: usize = 200_000;
const THEORY_NS: f64 = 100.0 * MS as f64;

#[test]
fn a_long_line_with_drawn_times_is_that_of_theory() {
    let model = drawn(5, RECORDS as u64);
    let Work::Drawn(costs) = &model.jobs[0].demands[0].work[0] else { unreachable!() };
    let (mut arrivals, mut sum) = (Vec::new(), 0.0);
    simulate(&model, &mut |event| match event.kind() {
        Some(Kind::Arrived) => arrivals.push(event.at_ns),
        Some(Kind::Completed) => sum += (event.at_ns - arrivals[event.task as usize]) as f64,
        _ => {}
    })
    .unwrap();
    let (mean_ns, exact_ns) = (sum / RECORDS as f64, mean_of_recursion(&arrivals, costs));
    assert!((mean_ns / exact_ns - 1.0).abs() < 1e-6, "{mean_ns} is not {exact_ns}");
    // Three standard errors.
    assert!((mean_ns / THEORY_NS - 1.0).abs() < 0.126, "{mean_ns} ns");
}

#[test]
fn drawn_times_are_as_independent_as_theory_wants_them() {
    let mean_ns = |seed: u64| {
        let times = Times::new(&Arrivals::Poisson { per_s: 90.0 }, &[], seed);
        let arrivals: Vec<u64> = times.take(RECORDS).collect();
        let costs = Drawn::plain(Distribution::Exponential(10.0 * MS as f64), seed);
        mean_of_recursion(&arrivals, &costs)
    };
    // Of 24 runs the standard error is 0.86 %; three of them.
    let mean = (1..=24).map(mean_ns).sum::<f64>() / 24.0 / THEORY_NS;
    assert!((mean - 1.0).abs() < 0.026, "{mean} of the latency of theory");
}

#[test]
fn no_two_tasks_draw_the_same_and_each_draws_what_a_worker_does() {
    let model = drawn(9, 10_000);
    let Work::Drawn(drawn) = &model.jobs[0].demands[0].work[0] else { unreachable!() };
    let (events, _) = run(&model);
    let spent: Vec<u64> = events
        .iter()
        .filter(|event| event.kind() == Some(Kind::StageDone))
        .map(|event| event.value)
        .collect();
    let expected: Vec<u64> = (0..10_000).map(|task| drawn.ns(task)).collect();
    let off = spent.iter().zip(&expected).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(spent.len() == 10_000 && off <= Some(1), "bursts end on whole nanoseconds: {off:?}");
    let distinct: std::collections::BTreeSet<&u64> = spent.iter().collect();
    assert!(distinct.len() > 9_900, "{}", distinct.len());
}
