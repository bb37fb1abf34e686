//! Endpoints, calls, and a caller that lets time go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use sage_core::endpoint::Lane;
use sage_core::vllm::{Profile, embedder, profile};
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Reply, Station, StationCall};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

/// An endpoint with one server, everything else open.
pub(crate) fn endpoint(kind: ServerKind) -> EndpointModel {
    endpoint_of(vec![ServerModel { kind, speed: 1.0 }])
}

pub(crate) fn endpoint_of(servers: Vec<ServerModel>) -> EndpointModel {
    EndpointModel {
        name: "e".into(),
        servers,
        affinity: false,
        concurrency: Some(1_000_000),
        concurrency_max: 256,
        latency_target_ns: None,
        queue: 1_000_000,
        aging_ns: 10 * SECOND,
        fair: true,
        retry: RetryPlan::default(),
        hedge: None,
        requests_per_s: None,
        tokens_per_s: None,
        error_share: 0.0,
    }
}

pub(crate) fn qwen() -> Profile {
    profile("a100/qwen2.5-7b").unwrap().clone()
}

pub(crate) fn vllm(generator: Profile) -> ServerKind {
    let embedder = *embedder("BAAI/bge-small-en-v1.5").unwrap();
    ServerKind::Vllm { generator: Box::new(generator), embedder }
}

/// A prompt whose blocks are like those of no other `salt`.
pub(crate) fn generate(prompt_tokens: u32, answer: u32, salt: u64) -> Work {
    let block = |index: u32| hash(salt << 32 | u64::from(index));
    let blocks: Vec<u64> = (0..prompt_tokens / 16).map(block).collect();
    Work::Generate {
        prompt_tokens,
        blocks: blocks.into(),
        max_tokens: answer + 7,
        target_tokens: answer,
    }
}

pub(crate) fn call(id: u64, items: impl Into<Arc<[Work]>>) -> StationCall {
    let items = items.into();
    StationCall { id, job: 0, stage: 0, lane: Lane::Normal, items, deadline_ns: u64::MAX }
}

/// SplitMix64's finaliser.
pub(crate) fn hash(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number above 0 and up to 1 that `value` stands for.
pub(crate) fn unit(value: u64) -> f64 {
    ((hash(value) >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// Submit `calls` at their times, in order, and let time go on until nothing happens any more.
pub(crate) fn run(station: &mut Station, calls: Vec<(u64, StationCall)>) -> Vec<Reply> {
    let mut calls = calls.into_iter().peekable();
    let mut replies = Vec::new();
    loop {
        let next = station.next_ns();
        match calls.next_if(|(at, _)| next.is_none_or(|next| *at <= next)) {
            Some((at, call)) => station.submit(call, at),
            None => match next {
                Some(now) => station.advance(now, &mut replies),
                None => return replies,
            },
        }
    }
}

/// The same, by the calls' own numbers.
pub(crate) fn run_by_id(
    station: &mut Station,
    calls: Vec<(u64, StationCall)>,
) -> BTreeMap<u64, Reply> {
    let replies = run(station, calls);
    let count = replies.len();
    let by_id: BTreeMap<u64, Reply> = replies.into_iter().map(|reply| (reply.id, reply)).collect();
    assert_eq!(by_id.len(), count, "a call was answered twice");
    by_id
}

/// `clients` that each send their next call when the last is answered, `calls` in all; `make` says
/// what client and number of the call ask. The replies in order.
pub(crate) fn closed_loop(
    station: &mut Station,
    clients: u64,
    calls: u64,
    make: impl Fn(u64, u64) -> StationCall,
) -> Vec<Reply> {
    let (mut sent, mut replies, mut out) = (0, Vec::new(), Vec::new());
    let mut owners = BTreeMap::new();
    for client in 0..clients.min(calls) {
        owners.insert(sent, client);
        station.submit(StationCall { id: sent, ..make(client, sent) }, 0);
        sent += 1;
    }
    while let Some(now) = station.next_ns() {
        station.advance(now, &mut out);
        for reply in out.drain(..) {
            let client = owners.remove(&reply.id).unwrap();
            if sent < calls {
                owners.insert(sent, client);
                station.submit(StationCall { id: sent, ..make(client, sent) }, now);
                sent += 1;
            }
            replies.push(reply);
        }
    }
    replies
}
