//! Failures that no model has, and what is left when all is over.

use proptest::prelude::*;
use sage_core::limiter::Source;
use sage_core::upstream::Failed;
use sage_core::vllm::{embedder, profile};
use sage_dsl::plan::{HedgePlan, RetryPlan};

use super::*;
use crate::model::ServerModel;

const SECOND: u64 = 1_000_000_000;

fn model(servers: Vec<ServerModel>, concurrency: Option<u32>) -> EndpointModel {
    EndpointModel {
        name: "e".into(),
        servers,
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
    }
}

fn station(servers: usize, concurrency: Option<u32>) -> Station {
    let server = ServerModel { kind: ServerKind::Fixed { service_ns: 1_000 }, speed: 1.0 };
    Station::new(&model(vec![server; servers], concurrency), &[1.0], 1).unwrap()
}

fn vllm() -> ServerModel {
    let generator = Box::new(profile("a100/qwen2.5-7b").unwrap().clone());
    let embedder = *embedder("BAAI/bge-small-en-v1.5").unwrap();
    ServerModel { kind: ServerKind::Vllm { generator, embedder }, speed: 1.0 }
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
    let idle = |backend: &Backend| match backend {
        Backend::Places { places, .. } => places.is_idle(),
        Backend::Vllm { generator, texts } => generator.is_idle() && texts.is_idle(),
    };
    station.calls.is_empty()
        && station.ids.is_empty()
        && station.attempts.is_empty()
        && station.deadlines.is_empty()
        && station.ready.is_empty()
        && station.line.is_idle()
        && (0..).zip(&station.servers).all(|(at, server)| {
            idle(&server.backend) && server.health.in_flight() == 0 && station.choice.calls(at) == 0
        })
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
    assert_eq!(station.line.limit(), 16, "the line knows");
}

#[test]
fn nothing_is_left_of_calls_that_were_given_up() {
    let mut station = station(2, Some(3));
    (0..20).for_each(|id| station.submit(call(id, SECOND), 0));
    assert!((0..20).all(|id| station.cancel(id)));
    assert!(is_empty(&station));
    assert_eq!((station.next_ns(), station.stats().errors), (None, 20));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever ends calls: answers, failures, deadlines, second tries, the caller.
    #[test]
    fn nothing_is_left_when_all_calls_are_over(
        with_model: bool,
        places in 1u32..4,
        error_share in prop_oneof![Just(0.0), Just(0.3)],
        tokens_per_s in proptest::option::of(500.0f64..2_000.0),
        calls in proptest::collection::vec((0u64..100, 1u32..200, 1u64..3_000, 0u8..10), 1..80),
    ) {
        let queue = ServerModel { kind: ServerKind::Queue { servers: places }, speed: 1.0 };
        let model = EndpointModel {
            error_share,
            tokens_per_s,
            hedge: Some(HedgePlan { quantile: 0.5, budget: 0.5 }),
            ..model(vec![if with_model { vllm() } else { queue.clone() }, queue], None)
        };
        let mut station = Station::new(&model, &[1.0], 1).unwrap();
        let (mut now, mut out) = (0, Vec::new());
        for (id, (gap_ms, size, patience_ms, chance)) in (0..).zip(calls) {
            now += gap_ms * 1_000_000;
            station.advance(now, &mut out);
            let work = match (chance % 2, with_model) {
                (0, true) => Work::Generate {
                    prompt_tokens: size * 8,
                    blocks: Arc::new([]),
                    max_tokens: size,
                    target_tokens: size,
                },
                _ => Work::Embed { tokens: size },
            };
            let deadline_ns = now + patience_ms * 1_000_000;
            let one = StationCall { items: Arc::new([work]), ..call(id, deadline_ns) };
            station.submit(one, now);
            if chance == 0 {
                station.cancel(id.saturating_sub(3));
            }
        }
        run(&mut station);
        prop_assert!(is_empty(&station), "{station:?}");
    }
}

#[test]
fn a_failed_call_avoids_the_server_that_failed_it() {
    for id in 0..20 {
        let mut station = station(2, Some(8));
        station.rng = Pcg32::seed_from_u64(id);
        let failed = Failed { class: ErrorClass::Server, status: Some(500), retry_after_ns: None };
        station.faults.with(1.0, failed);
        station.submit(call(id, 60 * SECOND), 0);
        let first = station.servers.iter().position(|server| server.health.failures_in_row() == 1);
        station.faults.with(0.0, failed);
        let mut out = Vec::new();
        while station.attempts.is_empty() {
            let now_ns = station.next_ns().unwrap();
            station.advance(now_ns, &mut out);
        }
        let second = station.attempts.values().next().unwrap().at;
        assert_ne!(first, Some(second));
    }
}

#[test]
fn servers_are_looked_at_when_the_gateway_would_and_what_is_seen_steers() {
    let mut station = Station::new(&model(vec![vllm()], None), &[1.0], 1).unwrap();
    let work = Work::Generate {
        prompt_tokens: 100,
        blocks: Arc::new([]),
        max_tokens: 300,
        target_tokens: 300,
    };
    let one = |id| StationCall { items: Arc::new([work.clone()]), ..call(id, u64::MAX) };
    // Nothing is answered yet: once a second, from the gateway's start on.
    station.submit(one(0), 2_500_000_000);
    let mut out = Vec::new();
    station.advance(3 * SECOND - 1, &mut out);
    assert_eq!(station.servers[0].health.source(), Some(Source::Estimator));
    station.advance(3 * SECOND, &mut out);
    assert_eq!(station.servers[0].health.source(), Some(Source::Server));
    let load = station.servers[0].load().unwrap();
    assert_eq!((load.running, load.waiting, load.preemptions), (1.0, 0.0, Some(0)));
    assert!(load.kv_usage.is_some_and(|usage| usage > 0.0 && usage < 0.01));
    run(&mut station);
    // A quarter of the three seconds that a call takes now.
    let pause_ns = station.line.usual().poll_pause_ns();
    assert!((700_000_000..900_000_000).contains(&pause_ns), "{pause_ns}");
    assert_eq!(station.next_ns(), None, "an idle server is not looked at");
}

#[test]
fn one_server_gets_no_more_than_its_part_of_a_fixed_limit() {
    let queue = ServerModel { kind: ServerKind::Queue { servers: 100 }, speed: 1.0 };
    let model = model(vec![queue.clone(), queue], Some(8));
    let mut station = Station::new(&model, &[1.0], 1).unwrap();
    // The tokens of the first would send all others to the second server.
    let text = |id, tokens| {
        let items = Arc::new([Work::Embed { tokens }]);
        StationCall { items, ..call(id, u64::MAX) }
    };
    station.submit(text(0, 100_000), 0);
    (1..9).for_each(|id| station.submit(text(id, 10), 0));
    let out: Vec<u32> = station.servers.iter().map(|server| server.health.in_flight()).collect();
    assert_eq!(out, [4, 4]);
}
