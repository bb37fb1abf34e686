//! V10: what chunked prefill is worth, against Sarathi-Serve (OSDI 2024).
//!
//! Their measure is capacity: the highest Poisson rate at which the 99th percentile of the time
//! between tokens stays within an objective and the median wait for the first scheduling within
//! 2 s. Their strict objective for Mistral-7B on one A100 is 0.1 s, with a budget of 512 tokens a
//! step; the relaxed one 0.5 s with 2048. The load is their ShareGPT mix by its published quantiles
//! (prompt median 1730 and 90 % below 5696, answer 415 and 834), at most 8192 tokens together.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustc_hash::FxHashMap;

use super::bench::{Size, request};
use super::mix::log_normal;
use super::{Kind, Row, named};
use crate::vllm::{Architecture, Engine, Gpu, Profile};

const SOURCE: &str = "Sarathi-Serve, OSDI 2024: up to 2.6x for Mistral-7B on one A100";
const REQUESTS: usize = 256;

const MISTRAL: Architecture = Architecture {
    layers: 32,
    hidden: 4096,
    intermediate: 14_336,
    query_heads: 32,
    kv_heads: 8,
    head_dim: 128,
    vocabulary: 32_000,
};

pub(super) fn rows() -> Vec<Row> {
    let base = Profile {
        costs: MISTRAL.costs(&Gpu::A100_80GB),
        max_model_len: 16_384,
        max_num_seqs: 128,
        api_ms_per_request: 0.0,
        api_us_per_token: 0.0,
        ..named("a100/llama-3-8b")
    };
    let chunked = |budget| Profile { max_num_batched_tokens: budget, ..base.clone() };
    let whole = Profile { chunked_prefill: false, ..base.clone() };
    let strict = capacity(&chunked(512), 0.1) / capacity(&whole, 0.1);
    let relaxed = capacity(&chunked(2048), 0.5) / capacity(&whole, 0.5);
    let row = |what: &str, model| Row {
        id: "V10",
        source: SOURCE,
        what: format!("capacity with chunked prefill over without, {what}"),
        target: 2.6,
        model,
        tolerance: None,
        kind: Kind::Shape,
    };
    vec![row("strict (P99 TBT 0.1 s)", strict), row("relaxed (P99 TBT 0.5 s)", relaxed)]
}

/// Highest rate, requests a second, within 5 %.
fn capacity(profile: &Profile, objective_s: f64) -> f64 {
    let (mut good, mut bad) = (0.02, 20.0);
    while bad / good > 1.05 {
        let rate: f64 = f64::sqrt(good * bad);
        if keeps(profile, rate, objective_s) { good = rate } else { bad = rate }
    }
    good
}

/// Whether the server keeps the objectives at `rate`.
fn keeps(profile: &Profile, rate: f64, objective_s: f64) -> bool {
    let mut rng = Pcg64Mcg::seed_from_u64(10);
    let (mut arrivals, mut at) = (Vec::with_capacity(REQUESTS), 0.0);
    while arrivals.len() < REQUESTS {
        let input = log_normal(&mut rng, 1730.0, 0.93) as u32;
        let output = log_normal(&mut rng, 415.0, 0.545) as u32;
        let wait: f64 = rng.random();
        if input + output <= 8192 {
            at -= (1.0 - wait).ln() / rate * 1e9;
            arrivals.push((at as u64, Size { input: input.max(1), output: output.max(2) }));
        }
    }
    let mut engine = Engine::new(profile);
    let mut last: FxHashMap<u64, u64> = FxHashMap::default();
    let (mut gaps, mut waits, mut now, mut next) = (Vec::new(), Vec::new(), 0, 0);
    loop {
        while let Some(&(at, size)) = arrivals.get(next).filter(|(at, _)| *at <= now) {
            let _ = engine.submit(request(next as u64, size), at);
            next += 1;
        }
        let Some(step) = engine.step(now) else {
            let Some(&(at, _)) = arrivals.get(next) else { break };
            now = at;
            continue;
        };
        for admission in step.admitted.iter().filter(|admission| !admission.again) {
            waits.push(step.starts_at_ns.saturating_sub(arrivals[admission.id as usize].0));
        }
        now = step.ends_at_ns;
        for token in step.emitted {
            if let Some(before) = last.insert(token.id, now) {
                gaps.push(now - before);
            }
        }
    }
    let quantile = |values: &mut Vec<u64>, share: f64| {
        let index = (values.len().saturating_sub(1) as f64 * share) as usize;
        if values.is_empty() { 0 } else { *values.select_nth_unstable(index).1 }
    };
    quantile(&mut gaps, 0.99) as f64 <= objective_s * 1e9
        && quantile(&mut waits, 0.5) <= 2_000_000_000
}
