//! A benchmark client in virtual time: bursts, closed loops, and what it sees of them.

use rustc_hash::FxHashMap;

use crate::vllm::{Engine, Profile, Request};

/// Prompt and answer of one request, tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) input: u32,
    pub(super) output: u32,
}

pub(super) fn request(id: u64, size: Size) -> Request {
    let (max_tokens, target_tokens) = (size.output, u32::MAX);
    Request { id, prompt_tokens: size.input, max_tokens, target_tokens, ..Request::default() }
}

/// What a client sees of a run.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) seconds: f64,
    pub(super) output_tokens: u64,
    /// Mean over requests of the time per output token after the first, ms.
    pub(super) tpot: f64,
    /// Median gap between tokens of a request, ms.
    pub(super) gap: f64,
    /// Most output tokens within one second of the run.
    pub(super) peak: u64,
}

/// All requests at once, as `vllm bench serve` at an infinite rate.
pub(super) fn burst(profile: &Profile, sizes: &[Size]) -> Seen {
    let mut engine = Engine::new(profile);
    for (id, &size) in (0..).zip(sizes) {
        // A request that could never run would show as missing tokens.
        let _ = engine.submit(request(id, size), 0);
    }
    let mut times: FxHashMap<u64, (u64, u64)> = FxHashMap::default();
    let (mut seen, mut tpots, mut gaps, mut seconds) = (Seen::default(), vec![], vec![], vec![]);
    let mut now = 0;
    while let Some(step) = engine.step(now) {
        now = step.ends_at_ns;
        seen.output_tokens += step.emitted.len() as u64;
        let second = (now / 1_000_000_000) as usize;
        seconds.resize(seconds.len().max(second + 1), 0);
        seconds[second] += step.emitted.len() as u64;
        for token in step.emitted {
            let (first, last) = times.entry(token.id).or_insert((now, now));
            if token.produced > 1 {
                gaps.push((now - *last) as f32 / 1e6);
            }
            *last = now;
            if token.finish.is_some() && token.produced > 1 {
                tpots.push((now - *first) as f64 / 1e6 / f64::from(token.produced - 1));
            }
        }
    }
    seen.seconds = now as f64 / 1e9;
    seen.tpot = tpots.iter().sum::<f64>() / tpots.len().max(1) as f64;
    let middle = gaps.len() / 2;
    if !gaps.is_empty() {
        seen.gap = f64::from(*gaps.select_nth_unstable_by(middle, f32::total_cmp).1);
    }
    seen.peak = seconds.into_iter().max().unwrap_or(0);
    seen
}

/// What a closed loop reaches once it is warm.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Output tokens a second.
    pub(super) tokens: f64,
    /// Mean time per output token after the first, ms.
    pub(super) tpot: f64,
}

/// `clients` that each ask again when they are answered, for `seconds` after as long a warm-up.
/// `spread` varies the outputs by a quarter up and down, which keeps the clients out of lock step.
pub(super) fn closed_loop(
    profile: &Profile,
    clients: u64,
    size: Size,
    spread: bool,
    seconds: u64,
) -> Rate {
    let mut engine = Engine::new(profile);
    let mut next = 0_u64;
    let mut ask = |engine: &mut Engine, now| {
        next += 1;
        let spread_by = next * 7919 % u64::from(size.output / 2 + 1);
        let output = if spread { size.output * 3 / 4 + spread_by as u32 } else { size.output };
        let _ = engine.submit(request(next, Size { output: output.max(1), ..size }), now);
    };
    (0..clients).for_each(|_| ask(&mut engine, 0));
    let (mut now, warm) = (0, seconds * 1_000_000_000);
    let end = 2 * warm;
    let mut times: FxHashMap<u64, u64> = FxHashMap::default();
    let (mut tokens, mut requests, mut tpot) = (0_u64, 0_u64, 0.0);
    while now < end {
        let Some(step) = engine.step(now) else { break };
        now = step.ends_at_ns;
        let counted = now > warm;
        tokens += if counted { step.emitted.len() as u64 } else { 0 };
        for token in &step.emitted {
            let first = *times.entry(token.id).or_insert(now);
            if token.finish.is_some() {
                times.remove(&token.id);
                ask(&mut engine, now);
                if counted {
                    requests += 1;
                    tpot += (now - first) as f64 / 1e6 / f64::from(token.produced.max(2) - 1);
                }
            }
        }
    }
    let window = now.saturating_sub(warm).max(1) as f64 / 1e9;
    Rate { tokens: tokens as f64 / window, tpot: tpot / requests.max(1) as f64 }
}
