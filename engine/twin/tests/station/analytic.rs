//! Servers without a model against the recursions and formulas of queueing theory.

use proptest::prelude::*;
use sage_twin::model::{EndpointModel, ServerKind, Work};
use sage_twin::station::Station;

use super::common::*;

/// When each call leaves a queue of `places` that serves in order of arrival: who comes takes the
/// place that is free first (Lindley 1952; Kiefer and Wolfowitz 1955).
fn departures(arrivals: &[(u64, u64)], places: usize) -> Vec<u64> {
    let mut free = vec![0; places];
    let serve = |&(arrival, service): &(u64, u64)| {
        let place = (0..places).min_by_key(|&place| free[place]).unwrap();
        free[place] = arrival.max(free[place]) + service;
        free[place]
    };
    arrivals.iter().map(serve).collect()
}

fn serve(model: &EndpointModel, arrivals: &[(u64, u64)]) -> (Vec<u64>, u64) {
    let mut station = Station::new(model, &[1.0], 1).unwrap();
    let calls = (0..).zip(arrivals);
    let calls = calls.map(|(id, &(at, service))| (at, call(id, [Work::Wait(service)])));
    let replies = run_by_id(&mut station, calls.collect());
    assert!(replies.values().all(|reply| reply.result == Ok(vec![(0, 0)])));
    (replies.values().map(|reply| reply.at_ns).collect(), station.stats().busy_ns)
}

/// Exponential gaps and services with these means, nanoseconds.
fn exponential(count: u64, gap: f64, service: f64, seed: u64) -> Vec<(u64, u64)> {
    let draw = |mean: f64, number: u64| (-unit(number ^ seed << 40).ln() * mean) as u64;
    let mut now = 0;
    let one = |number: u64| {
        now += draw(gap, 2 * number);
        (now, draw(service, 2 * number + 1))
    };
    (0..count).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whether calls wait at the server or in the gateway's line, they leave when they should.
    #[test]
    fn every_call_leaves_when_the_recursion_says(
        places in 1usize..6,
        gaps in proptest::collection::vec((0u64..50, 0u64..200), 1..150),
    ) {
        let mut now = 0;
        let arrivals: Vec<(u64, u64)> =
            gaps.into_iter().map(|(gap, service)| { now += gap; (now, service) }).collect();
        let expected = departures(&arrivals, places);
        let busy: u64 = arrivals.iter().map(|(_, service)| service).sum();
        let at_server = endpoint(ServerKind::Queue { servers: places as u32 });
        prop_assert_eq!(serve(&at_server, &arrivals), (expected.clone(), busy));
        let in_line = EndpointModel {
            concurrency: Some(places as u32),
            ..endpoint(ServerKind::Queue { servers: 1_000 })
        };
        prop_assert_eq!(serve(&in_line, &arrivals), (expected, busy));
    }

    /// A server that only takes time, with one place at the gateway, is a queue of its own.
    #[test]
    fn a_fixed_time_and_a_limit_make_a_queue(
        limit in 1usize..4,
        service in 1u64..100,
        gaps in proptest::collection::vec(0u64..60, 1..100),
    ) {
        let mut now = 0;
        let arrivals: Vec<(u64, u64)> =
            gaps.into_iter().map(|gap| { now += gap; (now, service) }).collect();
        let model = EndpointModel {
            concurrency: Some(limit as u32),
            ..endpoint(ServerKind::Fixed { service_ns: service })
        };
        prop_assert_eq!(serve(&model, &arrivals).0, departures(&arrivals, limit));
    }
}

/// Mean time of a call in an M/M/c queue with `load` of its `places` busy on average, as a multiple
/// of the mean service time (Erlang's second formula).
fn erlang(places: u32, load: f64) -> f64 {
    let offered = load * f64::from(places);
    let (mut term, mut sum) = (1.0, 1.0);
    for place in 1..places {
        term *= offered / f64::from(place);
        sum += term;
    }
    let all_busy = term * offered / f64::from(places) / (1.0 - load);
    let waits = all_busy / (sum + all_busy);
    1.0 + waits / (f64::from(places) * (1.0 - load))
}

#[test]
fn mean_times_are_those_of_erlang() {
    assert!((erlang(1, 0.5) - 2.0).abs() < 1e-12, "M/M/1 has a formula of its own");
    for (places, load) in [(1, 0.5), (1, 0.8), (4, 0.7)] {
        let service = 1e6;
        let gap = service / load / f64::from(places);
        let arrivals = exponential(60_000, gap, service, u64::from(places));
        let (leave, busy) = serve(&endpoint(ServerKind::Queue { servers: places }), &arrivals);
        let times = leave.iter().zip(&arrivals).map(|(leave, (arrival, _))| leave - arrival);
        let mean = times.sum::<u64>() as f64 / arrivals.len() as f64 / service;
        let expected = erlang(places, load);
        assert!((mean / expected - 1.0).abs() < 0.06, "{places} at {load}: {mean}, not {expected}");
        let last = *leave.iter().max().unwrap();
        let used = busy as f64 / last as f64 / f64::from(places);
        assert!((used - load).abs() < 0.02, "{places} at {load}: {used} busy");
    }
}
