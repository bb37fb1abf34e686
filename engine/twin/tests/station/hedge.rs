//! Second tries beside slow ones, and which server a call goes to.

use sage_dsl::plan::HedgePlan;
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Reply, Station, StationCall, StationStats};

use super::common::*;

fn servers(speeds: &[f64], kind: &ServerKind) -> Vec<ServerModel> {
    speeds.iter().map(|&speed| ServerModel { kind: kind.clone(), speed }).collect()
}

/// Texts, one every 20 ms, at servers of which the last is ten times as slow.
fn texts(hedge: Option<HedgePlan>) -> (Vec<Reply>, StationStats) {
    let kind = ServerKind::Fixed { service_ns: 10 * MS };
    let model = EndpointModel { hedge, ..endpoint_of(servers(&[1.0, 1.0, 1.0, 0.05], &kind)) };
    let mut station = Station::new(&model, &[1.0], 3).unwrap();
    let calls = (0..2_000).map(|id| (id * 20 * MS, call(id, [Work::Embed { tokens: 50 }])));
    let replies = run_by_id(&mut station, calls.collect());
    (replies.into_values().collect(), station.stats())
}

fn slow(replies: &[Reply]) -> usize {
    replies.iter().filter(|reply| reply.at_ns - reply.id * 20 * MS > 100 * MS).count()
}

#[test]
fn a_second_try_cuts_the_tail_within_its_budget() {
    let (plain, without) = texts(None);
    assert_eq!(without.attempts, 2_000);
    let usual = slow(&plain);
    assert!(usual > 100, "the slow server is chosen while it is free: {usual}");
    let (hedged, with) = texts(Some(HedgePlan { quantile: 0.8, budget: 0.2 }));
    assert!(hedged.iter().all(|reply| reply.result.is_ok()));
    let left = slow(&hedged);
    assert!(left * 4 < usual, "{left} slow calls of {usual} are left");
    let extra = with.attempts - with.calls;
    assert!(extra > 50 && extra <= 400 + 10, "{extra} second tries");
    assert_eq!(with.retries, 0);
    let (poor, few) = texts(Some(HedgePlan { quantile: 0.8, budget: 0.01 }));
    assert!(few.attempts - few.calls <= 20 + 1, "one call in a hundred");
    assert!(slow(&poor) > left);
}

#[test]
fn what_generates_is_not_sent_twice() {
    let kind = ServerKind::Fixed { service_ns: 10 * MS };
    let hedge = Some(HedgePlan { quantile: 0.5, budget: 1.0 });
    let model = EndpointModel { hedge, ..endpoint_of(servers(&[1.0, 0.05], &kind)) };
    let mut station = Station::new(&model, &[1.0], 3).unwrap();
    let calls = (0..500).map(|id| (id * 20 * MS, call(id, [generate(50, 5, id)])));
    run(&mut station, calls.collect());
    assert_eq!(station.stats().attempts, 500);
}

#[test]
fn calls_go_where_the_fewest_tokens_are() {
    let kind = ServerKind::Queue { servers: 1 };
    let mut station = Station::new(&endpoint_of(servers(&[1.0, 1.0], &kind)), &[1.0], 3).unwrap();
    // One long call and eight short ones: the short ones share the other server.
    let mut calls = vec![(0, call(0, [generate(8_000, 1, 0)]))];
    calls.extend((1..9).map(|id| (id, call(id, [generate(500, 1, id)]))));
    let replies = run_by_id(&mut station, calls);
    assert_eq!(replies[&0].at_ns, 8_001 * MS);
    assert!((1..9).all(|id| replies[&id].at_ns <= 8 * 501 * MS + 8));
}

#[test]
fn prompts_that_begin_alike_meet_a_cache_that_knows_them() {
    let cached = |affinity: bool| {
        let kind = vllm(qwen());
        let model = EndpointModel { affinity, ..endpoint_of(servers(&[1.0; 4], &kind)) };
        let mut station = Station::new(&model, &[1.0], 3).unwrap();
        let calls = (0..160).map(|id| {
            // Sixteen documents of 1600 tokens with a question of their own behind each.
            let Work::Generate { blocks, .. } = generate(1_600, 1, id % 16) else { panic!() };
            let mut blocks = blocks.to_vec();
            blocks.extend([hash(id | 1 << 60), hash(id | 1 << 61)]);
            let item = Work::Generate {
                prompt_tokens: 1_640,
                blocks: blocks.into(),
                max_tokens: 10,
                target_tokens: 10,
            };
            (id * 300 * MS, StationCall { stage: 3, ..call(id, [item]) })
        });
        let replies = run(&mut station, calls.collect());
        assert!(replies.iter().all(|reply| reply.result.is_ok()));
        station.stats().cached_tokens
    };
    let (with, without) = (cached(true), cached(false));
    assert_eq!(with, (160 - 16) * 1_600, "each document is computed once");
    assert!(without < with * 9 / 10, "{without} of {with}");
}
