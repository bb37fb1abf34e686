//! How fast a station runs, and what its limiter does meanwhile.
//!
//! `cargo run -p sage-twin --release --example station_speed [CALLS]`
//!
//! A closed loop of clients in virtual time: prompts of about 1000 tokens that begin alike for the
//! first 200, answers of about 100 tokens. All figures of the endpoint are the twin's, in virtual
//! time; the figures of the machine are per second of processor time as the kernel counts it for the
//! thread (Linux only; elsewhere of the wall clock), so that a busy machine does not spoil them.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use sage_core::endpoint::Lane;
use sage_core::vllm::{embedder, profile};
use sage_dsl::plan::RetryPlan;
use sage_twin::model::{EndpointModel, ServerKind, ServerModel, Work};
use sage_twin::station::{Reply, Station, StationCall};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let calls = std::env::args().nth(1).map_or(Ok(20_000), |text| text.parse())?;
    println!("{calls} calls of 1000 prompt and 100 answer tokens, a100/qwen2.5-7b, twin\n");
    println!(
        "{:>8} {:>6} | {:>9} {:>9} {:>9} {:>8} | {:>10} {:>9} {:>9} {:>6}",
        "clients",
        "limit",
        "calls/s",
        "Mtokens/s",
        "steps/s",
        "cpu s",
        "twin tok/s",
        "p50 s",
        "peak",
        "end"
    );
    for (clients, limit) in
        [(1, Some(1)), (64, Some(64)), (128, Some(128)), (256, Some(256)), (512, None)]
    {
        run(calls, clients, limit)?;
    }
    Ok(())
}

/// One closed loop of `clients`; `limit` is the endpoint's, `None` is `auto`.
fn run(calls: u64, clients: u64, limit: Option<u32>) -> Result<(), Failure> {
    let mut station = Station::new(&endpoint(limit)?, &[1.0], 1)?;
    let (started, before) = (Instant::now(), cpu_s());
    let (mut sent, mut steps) = (0, 0_u64);
    while sent < clients.min(calls) {
        station.submit(call(sent), 0);
        sent += 1;
    }
    let mut replies: Vec<Reply> = Vec::new();
    let (mut latencies, mut begun) = (Vec::new(), vec![0; calls as usize]);
    let (mut now_ns, mut peak) = (0, 0);
    while let Some(next_ns) = station.next_ns() {
        now_ns = next_ns;
        steps += 1;
        station.advance(now_ns, &mut replies);
        for reply in replies.drain(..) {
            reply.result.map_err(|class| format!("call {} failed: {class}", reply.id))?;
            latencies.push(now_ns - begun[reply.id as usize]);
            if sent < calls {
                begun[sent as usize] = now_ns;
                station.submit(call(sent), now_ns);
                sent += 1;
                peak = peak.max(station.stats().limit);
            }
        }
    }
    let wall_s = started.elapsed().as_secs_f64();
    let cpu_s = before.zip(cpu_s()).map_or(wall_s, |(before, after)| after - before);
    let stats = station.stats();
    latencies.sort_unstable();
    let p50_s = latencies[latencies.len() / 2] as f64 / 1e9;
    let tokens = stats.completion_tokens as f64;
    let name = limit.map_or("auto".to_owned(), |limit| limit.to_string());
    println!(
        "{clients:>8} {name:>6} | {:>9.0} {:>9.1} {:>9.0} {cpu_s:>8.2} | {:>10.0} {p50_s:>9.2} \
         {peak:>9} {:>6}",
        calls as f64 / cpu_s,
        tokens / cpu_s / 1e6,
        steps as f64 / cpu_s,
        tokens / (now_ns as f64 / 1e9),
        stats.limit,
    );
    Ok(())
}

/// Seconds that this thread has computed.
fn cpu_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let ns: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(ns / 1e9)
}

fn endpoint(concurrency: Option<u32>) -> Result<EndpointModel, Failure> {
    let generator = profile("a100/qwen2.5-7b").ok_or("no such profile")?;
    let embedder = *embedder("BAAI/bge-small-en-v1.5").ok_or("no such model")?;
    let kind = ServerKind::Vllm { generator: Box::new(generator.clone()), embedder };
    Ok(EndpointModel {
        name: "llm".into(),
        servers: vec![ServerModel { kind, speed: 1.0 }],
        affinity: false,
        concurrency,
        concurrency_max: 512,
        latency_target_ns: None,
        queue: 10_000,
        aging_ns: 10_000_000_000,
        fair: true,
        retry: RetryPlan::default(),
        hedge: None,
        requests_per_s: None,
        tokens_per_s: None,
        error_share: 0.0,
    })
}

/// Call `id`: lengths vary by a quarter, as a hash says.
fn call(id: u64) -> StationCall {
    let hash = (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let vary = |mean: u64, bits: u64| (mean * 3 / 4 + bits % (mean / 2)) as u32;
    let (prompt_tokens, answer) = (vary(1000, hash >> 40), vary(100, hash >> 20));
    // The first 200 tokens are the same for all.
    let block = |index: u64| if index < 12 { index } else { hash ^ index };
    let blocks: Vec<u64> = (0..u64::from(prompt_tokens) / 16).map(block).collect();
    let item = Work::Generate {
        prompt_tokens,
        blocks: blocks.into(),
        max_tokens: 256,
        target_tokens: answer,
    };
    let items = Arc::new([item]);
    StationCall { id, job: 0, stage: 0, lane: Lane::Normal, items, deadline_ns: u64::MAX }
}
