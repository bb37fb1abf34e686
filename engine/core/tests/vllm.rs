//! The vLLM model against what was published about vLLM, and against what a scheduler must keep.
//!
//! Figures marked "in-sample" helped to fit the constants, so agreement there is necessary, not
//! convincing. Every comparison prints target, model and error (`--nocapture`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and print")]

use std::collections::HashMap;

use proptest::prelude::*;
use sage_core::vllm::{
    Engine, Finish, Load, PROFILES, Profile, Rejected, Request, Stats, profile, step_ms,
};

fn named(name: &str) -> &'static Profile {
    profile(name).expect("registered")
}

fn request(id: u64, prompt_tokens: u32, output: u32) -> Request {
    let (max_tokens, target_tokens) = (output, u32::MAX);
    Request { id, prompt_tokens, max_tokens, target_tokens, ..Request::default() }
}

/// Prints and checks one comparison.
fn compare(what: &str, target: f64, model: f64, tolerance: f64) {
    let error = model / target - 1.0;
    println!("{what}: target {target:.2}, model {model:.2}, error {:+.1}%", error * 100.0);
    assert!(error.abs() <= tolerance, "{what}: {model} is not within {tolerance} of {target}");
}

#[test]
fn step_times_are_those_of_the_calibration() {
    let sizes = [1, 8, 32, 64, 128, 256];
    let table: [(&str, [f64; 6], f64); 4] = [
        ("a100/qwen2.5-7b", [10.2, 10.4, 11.5, 13.2, 17.6, 28.2], 131.0),
        ("a100/llama-3-8b", [10.7, 11.2, 12.9, 15.5, 21.7, 36.2], 143.0),
        ("a100/llama-2-7b", [9.7, 11.1, 16.1, 23.0, 37.7, 69.0], 133.0),
        ("a100/qwen3-14b", [19.1, 19.7, 21.9, 25.5, 34.5, 56.4], 264.0),
    ];
    assert_eq!(table.len(), PROFILES.len());
    for (name, decode, prefill) in table {
        for (batch, target) in sizes.into_iter().zip(decode) {
            let mut load = Load { emitting: batch, ..Load::default() };
            (0..batch).for_each(|_| load.decode(512));
            let model = step_ms(&named(name).costs, &load);
            compare(&format!("{name} decode B={batch}, ms"), target, model, 0.03);
        }
        let mut load = Load { emitting: 1, ..Load::default() };
        load.prefill(2048, 0);
        let model = step_ms(&named(name).costs, &load);
        compare(&format!("{name} prefill 2048, ms"), prefill, model, 0.03);
    }
}

/// What a client sees of a run.
#[derive(Default)]
struct Seen {
    seconds: f64,
    /// Mean time per output token after the first, ms.
    tpot: f64,
    /// Median gap between tokens, ms.
    gap: f64,
    stats: Stats,
}

/// `count` requests at once, as `vllm bench serve` at an infinite rate.
fn burst(profile: &Profile, count: u64, input: u32, output: u32) -> Seen {
    let mut engine = Engine::new(profile);
    for id in 0..count {
        engine.submit(request(id, input, output), 0).unwrap();
    }
    let (mut first, mut last) = (HashMap::new(), HashMap::new());
    let (mut tpots, mut gaps, mut now) = (Vec::new(), Vec::new(), 0);
    while let Some(step) = engine.step(now) {
        now = step.ends_at_ns;
        for token in step.emitted {
            if let Some(before) = last.insert(token.id, now) {
                gaps.push((now - before) as f64 / 1e6);
            }
            let start = *first.entry(token.id).or_insert(now);
            if token.finish.is_some() {
                tpots.push((now - start) as f64 / 1e6 / f64::from(output - 1));
            }
        }
    }
    assert_eq!(tpots.len() as u64, count);
    gaps.sort_by(f64::total_cmp);
    Seen {
        seconds: now as f64 / 1e9,
        tpot: tpots.iter().sum::<f64>() / tpots.len() as f64,
        gap: gaps[gaps.len() / 2],
        stats: engine.stats(),
    }
}

/// GPUStack performance lab, qwen3-14b on A100, vLLM 0.11.0 defaults. In-sample.
#[test]
fn published_bursts_take_as_long() {
    for (what, input, output, seconds, tpot, gap) in [
        ("V1 500x(4000/200)", 4000, 200, 407.05, 254.6, 369.0),
        ("V2 500x(2000/100)", 2000, 100, 175.66, 301.7, 334.0),
    ] {
        let seen = burst(named("a100/qwen3-14b"), 500, input, output);
        compare(&format!("{what}, s"), seconds, seen.seconds, 0.06);
        compare(&format!("{what}, TPOT ms"), tpot, seen.tpot, 0.1);
        compare(&format!("{what}, median ITL ms"), gap, seen.gap, 0.1);
        println!("{what}: {} preemptions", seen.stats.preemptions);
    }
}

/// Same source, 100x(32000/100); in-sample.
#[test]
fn long_prompts_take_as_long() {
    let seen = burst(named("a100/qwen3-14b"), 100, 32_000, 100);
    compare("V3 100x(32000/100), s", 724.56, seen.seconds, 0.10);
    compare("V3 TPOT ms", 445.6, seen.tpot, 0.3);
}

/// Qwen2.5's published speed at batch size 1 after 30,720 tokens, vLLM 0.6.3 on the same GPU. A
/// hold-out, but for the overhead of that older engine, which was chosen with it in sight.
#[test]
fn a_lone_request_decodes_as_fast() {
    let mut profile = named("a100/qwen2.5-7b").clone();
    profile.costs.step_overhead = 2.7;
    let seen = burst(&profile, 1, 30_720, 2047);
    // The source divides by the whole time, prefill included.
    compare("V6 Qwen2.5-7B at 30720, tokens/s", 70.33, 2047.0 / seen.seconds, 0.05);
}

/// GPUStack's 1000x(128/4) took 26.79 s; their bursts of 1000 seem to begin about 12 s late, which
/// a front end of 1.5 ms a request does not explain. Known to be too fast, asserted as it is.
#[test]
fn short_answers_in_a_great_burst_come_too_soon() {
    let seen = burst(named("a100/qwen3-14b"), 1000, 128, 4);
    println!("V5 1000x(128/4): target 26.79 s, model {:.2} s", seen.seconds);
    assert!((14.0..20.0).contains(&seen.seconds));
}

/// Output tokens a second and seconds simulated of a closed loop of `clients`.
fn closed_loop(profile: &Profile, clients: u64, input: u32, output: u32) -> f64 {
    let mut engine = Engine::new(profile);
    let mut next = 0;
    let mut ask = |engine: &mut Engine, now| {
        next += 1;
        // Spread outputs keep the clients from moving in lock step.
        let length = output * 3 / 4 + (next * 7919 % u64::from(output / 2 + 1)) as u32;
        engine.submit(request(next, input, length.max(1)), now).unwrap();
    };
    (0..clients).for_each(|_| ask(&mut engine, 0));
    let (mut now, warm, end) = (0, 30_000_000_000, 150_000_000_000);
    let mut tokens = 0_u64;
    while now < end {
        let step = engine.step(now).unwrap();
        now = step.ends_at_ns;
        if now > warm {
            tokens += step.emitted.len() as u64;
        }
        for token in &step.emitted {
            if token.finish.is_some() {
                ask(&mut engine, now);
            }
        }
    }
    tokens as f64 / ((now - warm) as f64 / 1e9)
}

/// Against an independent implementation of the same formula.
#[test]
fn closed_loops_reach_the_expected_rates() {
    let profile = named("a100/qwen2.5-7b");
    for (clients, rag, chat) in [(8, 561.0, 756.0), (32, 1115.0, 2398.0), (64, 1233.0, 3699.0)] {
        compare(&format!("RAG C={clients}"), rag, closed_loop(profile, clients, 1024, 128), 0.12);
        compare(&format!("chat C={clients}"), chat, closed_loop(profile, clients, 256, 256), 0.12);
    }
    compare("chat C=128", 4380.0, closed_loop(profile, 128, 256, 256), 0.12);
}

/// TensorRT-LLM's 6552 tokens/s at 128/128 bounds what vLLM can reach on Llama-3-8B.
#[test]
fn throughput_stays_below_the_fastest_published() {
    let rate = closed_loop(named("a100/llama-3-8b"), 256, 128, 128);
    println!("Llama-3-8B 128/128 C=256: {rate:.0} tokens/s");
    assert!(rate < 6552.0, "{rate}");
}

#[test]
fn the_first_token_comes_sooner_the_more_is_cached() {
    let mut before = u64::MAX;
    for shared in [0, 16, 32, 48] {
        let mut engine = Engine::new(named("a100/llama-3-8b"));
        let prompt = |id, unique: u64| Request {
            blocks: (0..48).map(|k| if k < shared { k } else { unique + k }).collect(),
            ..request(id, 770, 2)
        };
        engine.submit(prompt(1, 1_000), 0).unwrap();
        let mut now = 0;
        while let Some(step) = engine.step(now) {
            now = step.ends_at_ns;
        }
        let (start, mut first) = (now, None);
        engine.submit(prompt(2, 2_000), now).unwrap();
        while let Some(step) = engine.step(now) {
            now = step.ends_at_ns;
            first = first.or(step.emitted.first().map(|_| now));
        }
        let wait = first.unwrap() - start;
        println!("{shared} of 48 blocks shared: first token after {:.1} ms", wait as f64 / 1e6);
        assert!(wait < before);
        before = wait;
        assert_eq!(engine.stats().prefix_hits, shared * 16);
    }
}

#[test]
fn impossible_requests_are_rejected_at_once() {
    let profile =
        Profile { kv_blocks: 10, max_model_len: 1000, ..named("a100/llama-3-8b").clone() };
    let mut engine = Engine::new(&profile);
    let too_long = engine.submit(request(1, 1000, 1), 0).unwrap_err();
    assert_eq!(too_long, Rejected::ContextLength { prompt_tokens: 1000, limit: 1000 });
    let too_big = engine.submit(request(2, 161, 1), 0).unwrap_err();
    assert_eq!(too_big, Rejected::CacheCapacity { prompt_tokens: 161, capacity: 160 });
    engine.submit(request(3, 160, 5), 0).unwrap();
    assert_eq!(engine.submit(request(3, 10, 1), 0), Err(Rejected::Duplicate(3)));
    assert_eq!(engine.step(0).map(|step| step.emitted.len()), Some(0), "in the front end");
    let step = engine.step(0).unwrap();
    assert_eq!(step.emitted[0].finish, Some(Finish::Length), "one token is all that fits");
}

#[test]
fn the_urgent_go_first_and_stay() {
    let profile = Profile { max_num_seqs: 1, ..named("a100/llama-3-8b").clone() };
    let mut engine = Engine::new(&profile);
    for (id, priority) in [(1, 5), (2, 5), (3, -1)] {
        engine.submit(Request { priority, ..request(id, 10, 1) }, 0).unwrap();
    }
    let (mut now, mut order) = (20_000_000, Vec::new());
    while let Some(step) = engine.step(now) {
        now = step.ends_at_ns;
        order.extend(step.emitted.iter().map(|token| token.id));
    }
    assert_eq!(order, [3, 1, 2]);
}

#[derive(Debug, Clone)]
struct Case {
    prompt: u32,
    max_tokens: u32,
    target: u32,
    priority: i32,
    /// Which of a few shared prefixes it begins with.
    family: u64,
    gap_ms: u64,
    cancel: bool,
}

fn case() -> impl Strategy<Value = Case> {
    (0_u32..400, 0_u32..60, 0_u32..80, -1..2, 0_u64..3, 0_u64..40, prop::bool::weighted(0.1))
        .prop_map(|(prompt, max_tokens, target, priority, family, gap_ms, cancel)| Case {
            prompt,
            max_tokens,
            target,
            priority,
            family,
            gap_ms,
            cancel,
        })
}

proptest! {
    #[test]
    fn nothing_is_lost_and_no_limit_is_exceeded(
        cases in prop::collection::vec(case(), 1..60),
        kv_blocks in 30_u32..120,
        max_num_seqs in 1_u32..20,
        budget in 1_u32..300,
    ) {
        let profile = Profile {
            kv_blocks,
            max_num_seqs,
            max_num_batched_tokens: budget,
            ..named("a100/llama-3-8b").clone()
        };
        let mut engine = Engine::new(&profile);
        let (mut now, mut arrival) = (0, 0);
        let mut coming = cases.iter().enumerate().peekable();
        let mut open = HashMap::new();
        let mut counts: HashMap<u64, u32> = HashMap::new();
        loop {
            while let Some((id, case)) = coming.next_if(|(_, case)| arrival + case.gap_ms * 1_000_000 <= now) {
                arrival += case.gap_ms * 1_000_000;
                let blocks = (0..u64::from(case.prompt / 16))
                    .map(|k| if k < 6 { case.family << 32 | k } else { (id as u64 + 9) << 32 | k })
                    .collect();
                let ask = Request {
                    id: id as u64,
                    prompt_tokens: case.prompt,
                    blocks,
                    max_tokens: case.max_tokens,
                    target_tokens: case.target,
                    priority: case.priority,
                };
                engine.submit(ask, now).unwrap();
                open.insert(id as u64, case);
            }
            let Some(step) = engine.step(now) else {
                prop_assert!(open.is_empty(), "stuck with {open:?}");
                let Some((_, case)) = coming.peek() else { break };
                now = now.max(arrival + case.gap_ms * 1_000_000);
                continue;
            };
            prop_assert!(step.ends_at_ns > now || step.load.sequences == 0);
            prop_assert!(step.load.tokens <= budget && step.load.sequences <= max_num_seqs);
            now = step.ends_at_ns;
            for token in step.emitted {
                let count = counts.entry(token.id).or_default();
                *count += 1;
                prop_assert_eq!(*count, token.produced);
                if let Some(finish) = token.finish {
                    let case = open.remove(&token.id).unwrap();
                    let (target, most) = (case.target.max(1), case.max_tokens.max(1));
                    prop_assert_eq!(*count, target.min(most));
                    prop_assert_eq!(finish == Finish::Stop, target <= most);
                }
            }
            let stats = engine.stats();
            prop_assert!(stats.kv_blocks_used <= kv_blocks && stats.running <= max_num_seqs as usize);
            if let Some(id) = open.iter().find(|(_, case)| case.cancel).map(|(id, _)| *id) {
                prop_assert!(engine.cancel(id));
                prop_assert!(!engine.cancel(id));
                open.remove(&id);
            }
        }
        let stats = engine.stats();
        prop_assert_eq!((stats.kv_blocks_used, stats.running, stats.waiting), (0, 0, 0));
        prop_assert_eq!(stats.stopped + stats.cut + stats.cancelled, cases.len() as u64);
    }
}
