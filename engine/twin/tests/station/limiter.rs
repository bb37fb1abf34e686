//! A limit that is found out, against limits that are set.

use sage_twin::model::{EndpointModel, ServerKind};
use sage_twin::station::{Station, StationStats};

use super::common::*;

const CALLS: u64 = 5_000;

/// Answered calls a second of a closed loop of 300 clients, from the last two thirds of the calls,
/// the median latency behind the line (seconds), and the figures at the end.
fn throughput(model: &EndpointModel) -> (f64, f64, StationStats) {
    let mut station = Station::new(model, &[1.0], 1).unwrap();
    let replies = closed_loop(&mut station, 300, CALLS, |_, id| {
        let vary = |mean: u32, bits: u64| mean * 3 / 4 + (bits % u64::from(mean / 2)) as u32;
        let bits = hash(id);
        call(id, [generate(vary(256, bits), vary(64, bits >> 32), id)])
    });
    assert!(replies.iter().all(|reply| reply.result.is_ok()));
    let begin = replies.len() / 3;
    let seconds = (replies[replies.len() - 1].at_ns - replies[begin].at_ns) as f64 / 1e9;
    let rate = (replies.len() - 1 - begin) as f64 / seconds;
    let stats = station.stats();
    (rate, f64::from(stats.limit) / rate, stats)
}

fn limited(concurrency: Option<u32>) -> EndpointModel {
    EndpointModel { concurrency, ..endpoint(vllm(qwen())) }
}

#[test]
fn auto_grows_and_ends_near_the_best_fixed_limit() {
    let fixed: Vec<f64> = [8, 32, 64, 128, 256]
        .into_iter()
        .map(|limit| throughput(&limited(Some(limit))).0)
        .collect();
    let best = fixed.iter().copied().fold(0.0, f64::max);
    assert!(fixed[0] < 0.7 * best, "a limit of 8 is too low: {fixed:?}");
    let (rate, _, stats) = throughput(&limited(None));
    assert!(stats.max_in_flight > 32, "it began at 32 and grew: {}", stats.max_in_flight);
    assert!((33..=256).contains(&stats.limit), "{}", stats.limit);
    assert!(rate > 0.9 * best, "{rate} calls a second, {best} with the best of {fixed:?}");
}

#[test]
fn a_latency_target_is_paid_for_with_throughput() {
    let target = EndpointModel { latency_target_ns: Some(SECOND), ..limited(None) };
    let (free, with) = (throughput(&limited(None)), throughput(&target));
    assert!(with.2.limit < free.2.limit, "{} and {}", with.2.limit, free.2.limit);
    assert!(with.1 < free.1 && with.0 < free.0, "{with:?} and {free:?}");
}

#[test]
fn auto_finds_the_places_of_a_server_without_metrics() {
    let model = EndpointModel { concurrency: None, ..endpoint(ServerKind::Queue { servers: 40 }) };
    let mut station = Station::new(&model, &[1.0], 1).unwrap();
    let replies = closed_loop(&mut station, 300, 6_000, |_, id| call(id, [generate(50, 20, id)]));
    let tail = &replies[replies.len() / 2..];
    let seconds = (tail[tail.len() - 1].at_ns - tail[0].at_ns) as f64 / 1e9;
    // A call takes 70 ms at one of 40 places.
    let used = (tail.len() - 1) as f64 / seconds * 0.070 / 40.0;
    assert!(used > 0.9, "{used} of the places are used");
    assert!(station.stats().limit <= 256);
}
