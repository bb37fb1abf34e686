//! Failures that no model has, and what is left when all is over.

use sage_dsl::plan::RetryPlan;

use super::call::Failed;
use super::*;
use crate::model::ServerModel;

const SECOND: u64 = 1_000_000_000;

fn station(servers: usize, concurrency: Option<u32>) -> Station {
    let server = ServerModel { kind: ServerKind::Fixed { service_ns: 1_000 }, speed: 1.0 };
    let model = EndpointModel {
        name: "e".into(),
        servers: vec![server; servers],
        affinity: false,
        concurrency,
        concurrency_max: 64,
        latency_target_ns: None,
        queue: 100,
        aging_ns: 0,
        fair: true,
        retry: RetryPlan { max: 2, base_ns: 1_000_000, cap_ns: 1_000_000, budget: 0.1 },
        hedge: None,
        requests_per_s: None,
        tokens_per_s: None,
        error_share: 0.0,
    };
    Station::new(&model, &[1.0], 1).unwrap()
}

fn call(id: u64, deadline_ns: u64) -> StationCall {
    let items = Arc::new([Work::Wait(1)]);
    StationCall { id, job: 0, stage: 0, lane: Lane::Normal, items, deadline_ns }
}

fn run(station: &mut Station) -> Vec<Reply> {
    let mut replies = Vec::new();
    while let Some(now_ns) = station.next_ns() {
        station.advance(now_ns, &mut replies);
    }
    replies
}

fn is_empty(station: &Station) -> bool {
    station.calls.is_empty()
        && station.ids.is_empty()
        && station.attempts.is_empty()
        && station.deadlines.is_empty()
        && station.ready.is_empty()
        && station.line.load() == (0, 0)
        && station.servers.iter().all(
            |server| matches!(&server.backend, Backend::Places { places, .. } if places.is_idle()),
        )
}

fn busy(retry_after_ns: Option<u64>) -> Failed {
    Failed { class: ErrorClass::Throttled, status: Some(429), retry_after_ns }
}

#[test]
fn refusals_cost_no_budget_and_three_in_a_row_hold_everyone_back() {
    let mut station = station(1, Some(4));
    station.faults.with(1.0, busy(Some(SECOND)));
    (0..4).for_each(|id| station.submit(call(id, 60 * SECOND), 0));
    assert_eq!(station.stats.attempts, 3, "the fourth is not sent any more");
    let mut replies = Vec::new();
    station.advance(SECOND - 1, &mut replies);
    assert_eq!((station.stats.attempts, replies.len()), (3, 0));
    station.submit(call(4, 60 * SECOND), SECOND - 1);
    station.faults.with(0.0, busy(None));
    let replies = run(&mut station);
    assert_eq!(replies.len(), 5);
    assert!(replies.iter().all(|reply| reply.result.is_ok() && reply.at_ns >= SECOND));
    // Nothing of the burst of ten is used: refusals are free.
    assert_eq!(station.budget.reserve(2 * SECOND, 0), Some(0));
    assert!(is_empty(&station));
}

#[test]
fn a_quiet_longer_than_the_call_has_is_told_at_once() {
    let mut station = station(1, Some(8));
    station.faults.with(1.0, busy(Some(30 * SECOND)));
    (0..3).for_each(|id| station.submit(call(id, 5 * SECOND), 0));
    station.submit(call(3, 5 * SECOND), 10);
    let replies = run(&mut station);
    assert!(replies.iter().all(|reply| reply.result == Err(ErrorClass::Throttled)));
    assert!(replies.iter().all(|reply| reply.at_ns <= 10), "{replies:?}");
    assert_eq!(replies[3].attempts, 0);
    assert!(is_empty(&station));
}

#[test]
fn a_refused_call_goes_to_another_server_at_once() {
    let mut station = station(2, Some(8));
    station.faults.with(1.0, busy(Some(20 * SECOND)));
    station.submit(call(0, 60 * SECOND), 0);
    station.faults.with(0.0, busy(None));
    let replies = run(&mut station);
    assert_eq!((replies[0].attempts, replies[0].result.is_ok()), (2, true));
    assert!(replies[0].at_ns < SECOND, "{}", replies[0].at_ns);
}

#[test]
fn refusals_halve_a_limit_that_is_found_out() {
    let mut station = station(1, None);
    assert_eq!(station.line.limit(), 32);
    station.faults.with(1.0, busy(None));
    station.submit(call(0, 60 * SECOND), 5 * SECOND);
    assert_eq!(station.servers[0].health.limit(), Some(16));
}

#[test]
fn nothing_is_left_of_calls_that_were_given_up() {
    let mut station = station(2, Some(3));
    (0..20).for_each(|id| station.submit(call(id, SECOND), 0));
    assert!((0..20).all(|id| station.cancel(id)));
    assert!(is_empty(&station));
    assert_eq!((station.next_ns(), station.stats().errors), (None, 20));
}
