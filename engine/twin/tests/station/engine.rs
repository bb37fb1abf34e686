//! Servers with a model against the vLLM model driven by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sage_core::endpoint::ErrorClass;
use sage_core::vllm::{Engine, Profile, Request};
use sage_twin::model::{EndpointModel, ServerModel, Work};
use sage_twin::station::{Station, StationCall};

use super::common::*;

/// First and last token of each request, given as arrival and work; nobody in front of the engine.
fn by_hand(profile: &Profile, requests: &[(u64, Work)]) -> BTreeMap<u64, (u64, u64, u32)> {
    let mut engine = Engine::new(profile);
    let mut times = BTreeMap::new();
    let mut open = (0..).zip(requests).peekable();
    let mut now = 0;
    loop {
        while let Some((id, (at, work))) = open.next_if(|(_, (at, _))| *at <= now) {
            engine.submit(request(id, work), *at).unwrap();
        }
        let Some(step) = engine.step(now) else {
            match open.peek() {
                Some((_, (at, _))) => now = *at,
                None => return times,
            }
            continue;
        };
        // Who comes during the step is read at its end, with the time at which he came.
        now = step.ends_at_ns;
        for token in step.emitted {
            let entry = times.entry(token.id).or_insert((now, now, 0));
            *entry = (entry.0, now, token.produced);
        }
    }
}

fn request(id: u64, work: &Work) -> Request {
    let Work::Generate { prompt_tokens, blocks, max_tokens, target_tokens } = work else {
        panic!("only what generates runs on an engine")
    };
    Request {
        id,
        prompt_tokens: *prompt_tokens,
        blocks: blocks.to_vec(),
        max_tokens: *max_tokens,
        target_tokens: *target_tokens,
        priority: 0,
    }
}

fn at_speed(profile: Profile, speed: f64) -> EndpointModel {
    endpoint_of(vec![ServerModel { kind: vllm(profile), speed }])
}

#[test]
fn a_lone_call_takes_as_long_as_a_lone_request() {
    let work = generate(1_000, 100, 1);
    let (first, last, _) = by_hand(&qwen(), &[(0, work.clone())])[&0];
    for speed in [1.0, 0.5, 20.0] {
        let mut station = Station::new(&at_speed(qwen(), speed), &[1.0], 1).unwrap();
        let reply = &run(&mut station, vec![(0, call(7, [work.clone()]))])[0];
        assert_eq!(reply.result, Ok(vec![(1_000, 100)]));
        assert_eq!((reply.id, reply.attempts), (7, 1));
        let expected = |ns: u64| (ns as f64 / speed).ceil() as u64;
        assert_eq!(reply.at_ns, expected(last), "at speed {speed}");
        assert_eq!(reply.first_token_ns, Some(expected(first)), "at speed {speed}");
        let stats = station.stats();
        assert_eq!(
            (stats.prompt_tokens, stats.completion_tokens, stats.cached_tokens),
            (1_000, 100, 0)
        );
        assert!(stats.busy_ns > 0 && stats.busy_ns <= reply.at_ns);
    }
}

#[test]
fn the_items_of_a_call_are_requests_that_are_answered_together() {
    let works = [generate(300, 10, 1), generate(200, 60, 2), generate(200, 5, 3)];
    let requests: Vec<(u64, Work)> = works.iter().map(|work| (50, work.clone())).collect();
    let times = by_hand(&qwen(), &requests);
    let mut station = Station::new(&endpoint(vllm(qwen())), &[1.0], 1).unwrap();
    let reply = &run(&mut station, vec![(50, call(0, works))])[0];
    assert_eq!(reply.result, Ok(vec![(300, 10), (200, 60), (200, 5)]));
    assert_eq!(reply.at_ns, times.values().map(|(_, last, _)| *last).max().unwrap());
    assert_eq!(reply.first_token_ns, Some(times[&0].0));
    assert_eq!(station.stats().attempts, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With nothing in front of it the station is the engine, also when the cache is too small for
    /// all and requests are preempted.
    #[test]
    fn open_arrivals_meet_the_same_engine(
        kv_blocks in prop::sample::select(vec![200u32, 64_375]),
        calls in proptest::collection::vec((0u64..60, 1u32..700, 1u32..120, 0u64..4), 1..40),
    ) {
        let profile = Profile { kv_blocks, max_model_len: 2_000, ..qwen() };
        let mut now = 0;
        let requests: Vec<(u64, Work)> = calls.into_iter().map(|(gap, prompt, answer, salt)| {
            now += gap * MS;
            (now, generate(prompt, answer, salt))
        }).collect();
        let expected = by_hand(&profile, &requests);
        let mut station = Station::new(&endpoint(vllm(profile)), &[1.0], 1).unwrap();
        let calls = (0..).zip(requests).map(|(id, (at, work))| (at, call(id, [work])));
        let replies = run_by_id(&mut station, calls.collect());
        for (id, (first, last, produced)) in &expected {
            let reply = &replies[id];
            prop_assert_eq!((reply.at_ns, reply.first_token_ns), (*last, Some(*first)));
            prop_assert_eq!(reply.result.as_ref().unwrap()[0].1, *produced);
        }
        prop_assert_eq!(expected.len(), replies.len());
    }
}

#[test]
fn texts_go_to_the_embedding_model_beside_the_generator() {
    let mut station = Station::new(&endpoint(vllm(qwen())), &[1.0], 1).unwrap();
    let texts = |tokens: &[u32]| -> Vec<Work> {
        tokens.iter().map(|&tokens| Work::Embed { tokens }).collect()
    };
    let calls = vec![
        (0, call(0, texts(&[400]))),
        (0, call(1, [generate(500, 50, 1)])),
        (MS, call(2, texts(&[100, 500]))),
        (2 * MS, call(3, texts(&[300]))),
    ];
    let replies = run_by_id(&mut station, calls);
    // Six milliseconds a batch, a million tokens a second; the last two calls share a batch.
    assert_eq!((replies[&0].at_ns, replies[&0].first_token_ns), (6_400_000, None));
    assert_eq!(replies[&2].at_ns, 6_400_000 + 6_900_000);
    assert_eq!(replies[&3].at_ns, replies[&2].at_ns);
    assert_eq!(replies[&2].result, Ok(vec![(100, 0), (500, 0)]));
    let alone = by_hand(&qwen(), &[(0, generate(500, 50, 1))])[&0];
    assert_eq!(replies[&1].at_ns, alone.1, "the engines do not disturb each other");
}

#[test]
fn a_beginning_that_was_seen_costs_nothing() {
    let mut station = Station::new(&endpoint(vllm(qwen())), &[1.0], 1).unwrap();
    let calls = (0..4).map(|id| (id * 10 * SECOND, call(id, [generate(1_600, 5, 9)])));
    let replies = run_by_id(&mut station, calls.collect());
    let took = |id: u64| replies[&id].at_ns - id * 10 * SECOND;
    assert!(took(1) < took(0) && took(1) == took(2));
    // All full blocks but the one with the last token.
    assert_eq!(station.stats().cached_tokens, 3 * 1_584);
}

#[test]
fn a_call_that_is_given_up_leaves_the_engine_at_the_end_of_the_step() {
    let mut station = Station::new(&endpoint(vllm(qwen())), &[1.0], 1).unwrap();
    let mut out = Vec::new();
    station.submit(call(0, [generate(500, 2_000, 1)]), 0);
    station.submit(call(1, [generate(500, 10, 2)]), 0);
    station.advance(SECOND, &mut out);
    assert!(station.cancel(0), "it was in flight");
    assert!(!station.cancel(0) && !station.cancel(5));
    while let Some(now) = station.next_ns() {
        assert!(now < 2 * SECOND, "the engine computes for nobody");
        station.advance(now, &mut out);
    }
    assert_eq!(out.iter().map(|reply| reply.id).collect::<Vec<_>>(), [1]);
    let stats = station.stats();
    assert_eq!((stats.calls, stats.ok, stats.errors), (2, 1, 1));
    // The one who comes then has the place at once.
    let alone = by_hand(&qwen(), &[(0, generate(100, 10, 3))])[&0];
    let next = StationCall { id: 2, ..call(2, [generate(100, 10, 3)]) };
    let reply = &run(&mut station, vec![(100 * SECOND, next)])[0];
    assert_eq!(reply.at_ns, 100 * SECOND + alone.1);
}

#[test]
fn what_can_never_run_is_rejected_and_takes_nothing_with_it() {
    let profile = Profile { max_model_len: 1_000, ..qwen() };
    let mut station = Station::new(&endpoint(vllm(profile)), &[1.0], 1).unwrap();
    let calls = vec![
        (0, call(0, [generate(990, 20, 1)])),
        (0, call(1, [generate(300, 20, 2), generate(990, 20, 3)])),
        (0, call(2, [Work::Embed { tokens: 600 }])),
        (0, call(3, [Work::Wait(5)])),
        (0, call(4, [generate(300, 20, 4)])),
    ];
    let replies = run_by_id(&mut station, calls);
    for id in 0..4 {
        assert_eq!(replies[&id].result, Err(ErrorClass::Rejected), "call {id}");
        assert_eq!((replies[&id].attempts, replies[&id].at_ns), (1, 0));
    }
    assert_eq!(replies[&4].result, Ok(vec![(300, 20)]));
    let stats = station.stats();
    assert_eq!((stats.ok, stats.errors, stats.retries), (1, 4, 0));
}
