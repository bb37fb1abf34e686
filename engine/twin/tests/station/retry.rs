//! Failing servers: what is tried again, and what that may cost.

use sage_core::endpoint::ErrorClass;
use sage_core::retry::RetryBudget;
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Reply, Station, StationCall};

use super::common::*;

fn failing(share: f64, retry: RetryPlan) -> EndpointModel {
    EndpointModel {
        error_share: share,
        retry,
        concurrency: Some(20),
        ..endpoint(ServerKind::Fixed { service_ns: 50 * MS })
    }
}

fn waits(count: u64) -> Vec<(u64, StationCall)> {
    (0..count).map(|id| (id * 10 * MS, call(id, [Work::Wait(1)]))).collect()
}

#[test]
fn failed_tries_are_repeated_within_the_budget() {
    for (share, budget) in [(0.02, 0.1), (0.2, 0.1), (0.5, 0.3)] {
        let retry = RetryPlan { budget, ..RetryPlan::default() };
        let mut station = Station::new(&failing(share, retry), &[1.0], 5).unwrap();
        let replies = run(&mut station, waits(3_000));
        let stats = station.stats();
        let end = replies.last().unwrap().at_ns;
        let allowed = RetryBudget::of_share(budget, 20.0).allowed(stats.calls, end);
        assert!(stats.retries as f64 <= allowed, "{} retries of {allowed}", stats.retries);
        assert!(stats.retries > 0 && stats.attempts == 3_000 + stats.retries);
        let failed = (stats.attempts - stats.ok) as f64 / stats.attempts as f64;
        assert!((failed - share).abs() < 0.04, "{failed} of the tries failed, not {share}");
        if share < budget {
            assert_eq!(stats.ok, 3_000, "the budget is enough for all");
        }
    }
}

#[test]
fn every_call_earns_its_part_of_a_retry() {
    // Far more failures than the burst and the trickle pay for, in calls that cannot wait.
    let model = failing(0.05, RetryPlan::default());
    let mut station = Station::new(&model, &[1.0], 5).unwrap();
    let mut calls = waits(6_000);
    calls.iter_mut().for_each(|(at, call)| call.deadline_ns = *at + 3 * SECOND);
    let replies = run(&mut station, calls);
    let failed = replies.iter().filter(|reply| reply.result.is_err()).count();
    assert!(station.stats().retries > 200 && failed < 6, "{failed} failed");
}

#[test]
fn a_server_that_lets_calls_wait_too_long_is_left_alone() {
    let model = endpoint(ServerKind::Fixed { service_ns: 1_000 * SECOND });
    let mut station = Station::new(&model, &[1.0], 5).unwrap();
    let calls = (0..12).map(|id| {
        let at = id * 20 * SECOND;
        (at, StationCall { deadline_ns: at + 11 * SECOND, ..call(id, [Work::Wait(1)]) })
    });
    let replies = run_by_id(&mut station, calls.collect());
    let timeouts = |reply: &&Reply| reply.result == Err(ErrorClass::Timeout);
    assert_eq!(replies.values().filter(timeouts).count(), 12, "each is a trial or in the row");
    // After ten in a row only one at a time is let through.
    let together = (0..3).map(|id| {
        (500 * SECOND, StationCall { deadline_ns: 505 * SECOND, ..call(20 + id, [Work::Wait(1)]) })
    });
    let replies = run_by_id(&mut station, together.collect());
    let mut attempts: Vec<u32> = replies.values().map(|reply| reply.attempts).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [0, 0, 1]);
}

#[test]
fn trials_that_time_out_grow_apart() {
    let model = endpoint(ServerKind::Fixed { service_ns: 1_000 * SECOND });
    let mut station = Station::new(&model, &[1.0], 5).unwrap();
    let mut out = Vec::new();
    // How long the only call there is waits until it is sent.
    let mut wait_ns = |id: u64| {
        let arrived_ns = id * 20 * SECOND;
        let one = call(id, [Work::Wait(1)]);
        station.submit(StationCall { deadline_ns: arrived_ns + 18 * SECOND, ..one }, arrived_ns);
        let mut now_ns = arrived_ns;
        while station.stats().attempts <= id {
            now_ns = station.next_ns().unwrap();
            station.advance(now_ns, &mut out);
        }
        station.advance(arrived_ns + 18 * SECOND, &mut out);
        now_ns - arrived_ns
    };
    assert!((0..10).all(|id| wait_ns(id) == 0), "each is in the row");
    // Since the last one timed out two seconds have passed.
    let waits: Vec<u64> = (10..20).map(|id| (wait_ns(id) + 2 * SECOND) / MS).collect();
    assert_eq!(waits[..4], [2_000; 4], "at most 2 s after the fourth: {waits:?}");
    assert!(waits[5..].iter().all(|wait| (2_500..=5_000).contains(wait)), "{waits:?}");
    assert!(
        out.iter().all(|reply| (reply.attempts, &reply.result) == (1, &Err(ErrorClass::Timeout)))
    );
}

#[test]
fn without_retries_every_failure_is_told() {
    let retry = RetryPlan { max: 0, ..RetryPlan::default() };
    let mut station = Station::new(&failing(0.1, retry), &[1.0], 5).unwrap();
    let replies = run(&mut station, waits(1_000));
    assert!(replies.iter().all(|reply| reply.attempts == 1));
    let failed = replies.iter().filter(|reply| reply.result == Err(ErrorClass::Server)).count();
    assert!((60..140).contains(&failed), "{failed}");
    assert_eq!(station.stats().errors, failed as u64);
}

#[test]
fn a_server_that_fails_every_call_is_left_alone_but_for_trials() {
    let retry = RetryPlan { max: 0, ..RetryPlan::default() };
    let mut station = Station::new(&failing(1.0, retry), &[1.0], 5).unwrap();
    let calls = (0..400).map(|id| {
        let at = id * 50 * MS;
        (at, StationCall { deadline_ns: at + 10 * SECOND, ..call(id, [Work::Wait(1)]) })
    });
    let replies = run(&mut station, calls.collect());
    assert!(replies.iter().all(|reply| reply.result == Err(ErrorClass::Server)));
    // Ten in a row close it; then one at a time, less and less often, at least every five seconds.
    let attempts = station.stats().attempts;
    assert!((14..40).contains(&attempts), "{attempts} tries in 30 s");
}

#[test]
fn a_call_that_failed_goes_to_another_server() {
    let server = |service_ns| ServerModel { kind: ServerKind::Fixed { service_ns }, speed: 1.0 };
    let model = EndpointModel {
        servers: vec![server(10 * MS), server(20 * MS)],
        ..failing(0.1, RetryPlan { budget: 1.0, ..RetryPlan::default() })
    };
    let mut station = Station::new(&model, &[1.0], 5).unwrap();
    let replies = run(&mut station, waits(500));
    assert_eq!(replies.iter().filter(|reply| reply.result.is_ok()).count(), 500);
    assert!(replies.iter().any(|reply| reply.attempts > 1));
}

#[test]
fn what_a_deadline_cuts_off_was_tried_and_timed_out() {
    let model = EndpointModel {
        concurrency: Some(1),
        ..endpoint(ServerKind::Fixed { service_ns: SECOND })
    };
    let mut station = Station::new(&model, &[1.0], 5).unwrap();
    let with = |id, deadline_ns| (0, StationCall { deadline_ns, ..call(id, [Work::Wait(1)]) });
    let calls =
        vec![with(0, 400 * MS), with(1, 500 * MS), with(2, 1_400 * MS), with(3, 2 * SECOND)];
    let replies = run_by_id(&mut station, calls);
    let ends: Vec<_> =
        replies.values().map(|one| (one.at_ns / MS, one.result.clone(), one.attempts)).collect();
    let late = |ms, attempts| (ms, Err(ErrorClass::Timeout), attempts);
    assert_eq!(ends[..3], [late(400, 1), late(500, 1), late(1_400, 1)]);
    assert_eq!(ends[3], late(2_000, 1), "it had its place from 1.4 s on");
}

#[test]
fn what_a_deadline_cuts_off_leaves_its_place_at_the_server() {
    let mut station = Station::new(&endpoint(ServerKind::Queue { servers: 1 }), &[1.0], 5).unwrap();
    let with = |id, ms, deadline_ms: u64| {
        (0, StationCall { deadline_ns: deadline_ms * MS, ..call(id, [Work::Wait(ms * MS)]) })
    };
    let calls = vec![with(0, 10_000, 400), with(1, 7, 300), with(2, 100, 9_000)];
    let replies = run_by_id(&mut station, calls);
    let ends: Vec<_> = replies.values().map(|one| (one.at_ns / MS, one.result.is_ok())).collect();
    assert_eq!(ends, [(400, false), (300, false), (500, true)]);
}
