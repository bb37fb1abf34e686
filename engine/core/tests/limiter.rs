//! The adaptive limit in closed loop with the vLLM model, and alone against any input.
//!
//! The table that the first tests print (`--nocapture`) is the claim: without knowing server or
//! workload, at least 95 % of the throughput of the best fixed concurrency.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and print")]
#![allow(clippy::unnecessary_wraps, reason = "all polls have one type")]

#[path = "limiter/harness.rs"]
mod harness;

use harness::{Control, Lengths, Loop, Polls, SECOND, Seen, Workload, a100, blind, honest, slower};
use proptest::prelude::*;
use sage_core::limiter::{
    AutoLimiter, LimiterConfig, Overload, Reason, Sample, ServerLoad, Source,
};
use sage_core::vllm::Profile;

fn auto(config: LimiterConfig) -> Control {
    Control::Auto(Box::new(AutoLimiter::new(config)))
}

fn standard() -> Control {
    auto(LimiterConfig::default())
}

fn start(profile: &Profile, workload: Workload, polls: Polls) -> Loop {
    Loop::new(profile, workload, standard(), polls)
}

fn fixed(profile: &Profile, workload: Workload, limit: u32, seconds: f64) -> Seen {
    let mut closed = Loop::new(profile, workload, Control::Fixed(limit), blind);
    closed.run(seconds / 4.0);
    closed.run(seconds)
}

/// Token rate of the best of some fixed limits.
fn best_fixed(profile: &Profile, workload: Workload, limits: &[u32], seconds: f64) -> f64 {
    let rate = |limit: &u32| fixed(profile, workload, *limit, seconds).token_rate();
    limits.iter().map(rate).fold(0.0, f64::max)
}

const POLICIES: [(&str, Polls); 2] = [("estimator", blind), ("server", honest)];

/// The claim, for one workload: warmed up for `warm_s` seconds, at least 95 % of the best, as a mean
/// of three seeds.
fn reaches_the_best(workload: Workload, limits: &[u32], warm_s: f64) {
    const SEEDS: u64 = 3;
    let profile = a100();
    let mut missed = Vec::new();
    for lengths in [Lengths::Spread, Lengths::Exponential] {
        let (mut shares, mut reached) = ([0.0; POLICIES.len()], [(0.0, 0.0); POLICIES.len()]);
        let mut best = 0.0;
        for seed in 1..=SEEDS {
            let workload = Workload { seed, ..workload.with(lengths) };
            let rate = best_fixed(&profile, workload, limits, 90.0);
            best += rate / SEEDS as f64;
            for (index, (_, polls)) in POLICIES.into_iter().enumerate() {
                let mut closed = start(&profile, workload, polls);
                closed.run(warm_s);
                let seen = closed.run(120.0);
                shares[index] += seen.token_rate() / rate / SEEDS as f64;
                reached[index].0 += seen.token_rate() / SEEDS as f64;
                reached[index].1 += seen.mean_limit() / SEEDS as f64;
            }
        }
        for (index, (policy, _)) in POLICIES.into_iter().enumerate() {
            let (share, (rate, limit)) = (shares[index], reached[index]);
            println!(
                "{policy:9} | {:14} | {:11} | {rate:5.0} tokens/s at limit {limit:3.0} | best fixed \
                 {best:5.0} | {:5.1} %",
                workload.name,
                format!("{lengths:?}"),
                share * 100.0,
            );
            if share < 0.95 {
                missed.push(format!("{policy} {lengths:?}: {share:.3}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn long_prompts_reach_the_best_fixed_throughput() {
    reaches_the_best(Workload::RAG, &[64, 96], 60.0);
}

#[test]
fn long_answers_reach_the_best_fixed_throughput() {
    reaches_the_best(Workload::CHAT, &[192, 256], 60.0);
}

#[test]
fn short_answers_reach_the_best_fixed_throughput() {
    reaches_the_best(Workload::CLASSIFY, &[48, 64], 30.0);
}

#[test]
fn a_latency_target_trades_throughput_for_the_median() {
    let profile = a100();
    for (policy, polls) in POLICIES {
        for (workload, target_s) in [(Workload::RAG, 3.5), (Workload::CHAT, 4.0)] {
            let free = {
                let mut closed = start(&profile, workload, polls);
                closed.run(60.0);
                closed.run(60.0)
            };
            let config = LimiterConfig {
                latency_target_ns: Some((target_s * 1e9) as u64),
                ..LimiterConfig::default()
            };
            let mut closed = Loop::new(&profile, workload, auto(config), polls);
            closed.run(60.0);
            let seen = closed.run(60.0);
            println!(
                "{policy} {}: target {target_s} s: p50 {:.2} s, {:.0} tokens/s at {:.0}; free: {:.2} s, {:.0} at {:.0}",
                workload.name,
                seen.p50_s(),
                seen.token_rate(),
                seen.mean_limit(),
                free.p50_s(),
                free.token_rate(),
                free.mean_limit(),
            );
            assert_eq!(closed.limiter().reason(), Reason::LatencyTarget);
            assert!((0.85 * target_s..1.05 * target_s).contains(&seen.p50_s()));
            assert!(free.p50_s() > 1.2 * target_s && free.token_rate() > seen.token_rate());
        }
    }
}

#[test]
fn a_server_that_slows_down_is_followed_and_so_is_its_recovery() {
    let (normal, slow) = (a100(), slower(a100(), 3.0));
    for (policy, polls) in POLICIES {
        let mut closed = start(&normal, Workload::RAG, polls);
        closed.run(60.0);
        for (state, profile, rest) in [("slow", &slow, 120.0), ("normal", &normal, 60.0)] {
            let best = best_fixed(profile, Workload::RAG, &[64, 96], 100.0);
            closed.replace_server(profile);
            closed.run(rest);
            let seen = closed.run(100.0);
            let share = seen.token_rate() / best;
            println!("{policy} {state}: {share:.3} of the best, limit {:.0}", seen.mean_limit());
            assert!(share > 0.9, "{policy} {state}: {share}");
        }
    }
}

#[test]
fn round_trips_and_not_seconds_set_the_pace() {
    for factor in [1.0, 0.1, 0.01] {
        let profile = slower(a100(), factor);
        let best = fixed(&profile, Workload::RAG, 96, 80.0 * factor).token_rate();
        // Ticks and polls stay in wall time.
        let mut closed = start(&profile, Workload::RAG, honest);
        closed.run(60.0 * factor);
        let seen = closed.run((80.0 * factor).max(1.0));
        let share = seen.token_rate() / best;
        println!("{factor} of the time: {share:.3} of the best at {:.0}", seen.mean_limit());
        assert!(share > 0.85, "{factor}: {share}");
    }
}

#[test]
fn polls_that_stop_leave_the_estimator() {
    fn broken(now: u64, load: ServerLoad) -> Option<ServerLoad> {
        (now < 30 * SECOND).then_some(load)
    }
    let workload = Workload::CLASSIFY;
    let mut closed = start(&a100(), workload, broken);
    closed.run(25.0);
    assert_eq!(closed.limiter().source(), Source::Server);
    closed.run(25.0);
    assert_eq!(closed.limiter().source(), Source::Estimator);
    let seen = closed.run(60.0);
    let best = fixed(&a100(), workload, 32, 60.0).token_rate();
    assert!(seen.token_rate() > 0.95 * best);
}

#[test]
fn metrics_that_lie_do_no_harm() {
    fn empty(_: u64, _: ServerLoad) -> Option<ServerLoad> {
        Some(ServerLoad { kv_usage: Some(0.0), ..ServerLoad::default() })
    }
    fn nan(_: u64, _: ServerLoad) -> Option<ServerLoad> {
        let (running, waiting) = (f64::NAN, f64::INFINITY);
        Some(ServerLoad { running, waiting, kv_usage: Some(f64::NAN), ..ServerLoad::default() })
    }
    let workload = Workload::CLASSIFY;
    let best = fixed(&a100(), workload, 32, 60.0).token_rate();
    for lie in [empty as Polls, nan] {
        let mut closed = start(&a100(), workload, lie);
        closed.run(30.0);
        let seen = closed.run(60.0);
        println!("{:.3} of the best at {:.0}", seen.token_rate() / best, seen.mean_limit());
        assert!(seen.token_rate() > 0.95 * best);
        assert!(seen.limits.iter().all(|limit| (1..=256).contains(limit)));
    }
}

#[test]
fn idle_times_leave_the_limit_alone() {
    let mut closed = start(&a100(), Workload::RAG, honest);
    closed.run(180.0);
    let before = closed.limit();
    closed.demand = 2;
    closed.run(10.0);
    assert_eq!(closed.limiter().reason(), Reason::Idle);
    closed.run(60.0);
    closed.demand = 0;
    closed.run(600.0);
    let after = closed.limit();
    assert!(after * 2 > before && after < before * 2, "{before}, then {after}");
    closed.demand = 100_000;
    closed.run(30.0);
    let seen = closed.run(90.0);
    assert_ne!(closed.limiter().reason(), Reason::Idle);
    assert!(seen.token_rate() > 0.9 * fixed(&a100(), Workload::RAG, 96, 60.0).token_rate());
}

#[test]
fn a_small_server_is_not_flooded() {
    let profile = Profile { max_num_seqs: 16, ..a100() };
    for (policy, polls) in POLICIES {
        let mut closed = start(&profile, Workload::RAG, polls);
        closed.run(60.0);
        let seen = closed.run(120.0);
        let best = fixed(&profile, Workload::RAG, 24, 100.0).token_rate();
        let most = *seen.limits.iter().max().unwrap();
        println!(
            "{policy}: limit {:.0}, at most {most}, {:.3}",
            seen.mean_limit(),
            seen.token_rate() / best
        );
        assert!(seen.token_rate() > 0.95 * best);
        assert!(most <= 64, "{most} calls for 16 places");
    }
    fn told(_: u64, load: ServerLoad) -> Option<ServerLoad> {
        Some(ServerLoad { max_running: Some(16), ..load })
    }
    let mut closed = start(&profile, Workload::RAG, told);
    closed.run(10.0);
    assert!(closed.run(60.0).limits.iter().all(|limit| *limit <= 16), "it said so");
}

/// Calls answered one after another, `rtt_ns` apart; the time after them.
fn answer(limiter: &mut AutoLimiter, calls: u64, rtt_ns: u64, mut now: u64) -> u64 {
    for _ in 0..calls {
        let in_flight = limiter.limit();
        now += rtt_ns / u64::from(in_flight);
        let sample = Sample { latency_ns: rtt_ns, input_tokens: 100, output_tokens: 10, in_flight };
        limiter.completed(sample, now);
    }
    now
}

#[test]
fn a_burst_of_refusals_halves_once_a_round_trip() {
    let config = LimiterConfig { initial: 64, max: 64, ..LimiterConfig::default() };
    let mut limiter = AutoLimiter::new(config);
    let mut now = answer(&mut limiter, 1000, SECOND, 0);
    assert!(limiter.limit() > 32);
    let mut before = limiter.limit();
    for _ in 0..3 {
        for call in 0..50 {
            limiter.overloaded(Overload::Throttled { retry_after_ns: None }, now + call);
        }
        assert_eq!(limiter.limit(), before.div_ceil(2));
        assert_eq!(limiter.reason(), Reason::Overload);
        before = limiter.limit();
        now += SECOND + SECOND / 10;
    }
    let asked = Overload::Throttled { retry_after_ns: Some(60 * SECOND) };
    (0..10).for_each(|_| limiter.overloaded(asked, now));
    let held = limiter.limit();
    assert!(held < before);
    now = answer(&mut limiter, u64::from(held) * 50, SECOND, now);
    assert_eq!(limiter.limit(), held, "Retry-After is honoured");
    now += 12 * SECOND;
    answer(&mut limiter, 400, SECOND, now);
    assert!(limiter.limit() > held, "and then forgiven");
}

#[test]
fn refusals_that_do_not_depend_on_the_limit_do_not_ruin_it() {
    let mut limiter = AutoLimiter::new(LimiterConfig { initial: 32, ..LimiterConfig::default() });
    let mut now = 0;
    for call in 0..6000_u64 {
        if call * 7919 % 10 < 3 {
            limiter.overloaded(Overload::Throttled { retry_after_ns: None }, now);
        } else {
            now = answer(&mut limiter, 1, SECOND, now);
        }
    }
    assert!(limiter.limit() >= 16, "{}", limiter.limit());
}

#[test]
fn pages_of_metrics_are_read() {
    let vllm = "# HELP vllm:num_requests_running Number of requests.\n\
        # TYPE vllm:num_requests_running gauge\n\
        vllm:num_requests_running{engine=\"0\",model_name=\"a } b\\\"\"} 1.2e1\n\
        vllm:num_requests_running { engine=\"1\" }  3.0 1700000000000\n\
        vllm:num_requests_waiting{engine=\"0\"} 4\r\n\
        vllm:num_requests_waiting_by_reason{reason=\"x\"} 99\n\
        vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n\
        vllm:kv_cache_usage_perc{engine=\"1\"} 0.75\n\
        vllm:num_preemptions_total{engine=\"0\"} 7.0\n\
        vllm:num_preemptions_created{engine=\"0\"} 1.7e9\n";
    let load = ServerLoad {
        running: 15.0,
        waiting: 4.0,
        kv_usage: Some(0.75),
        preemptions: Some(7),
        max_running: None,
    };
    assert_eq!(ServerLoad::parse(vllm), Some(load));
    let llama = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 1\n\
        llamacpp:kv_cache_usage_ratio 0.5\nllamacpp:kv_cache_usage_ratio NaN\n";
    let load = ServerLoad { running: 2.0, waiting: 1.0, kv_usage: Some(0.5), ..load };
    assert_eq!(ServerLoad::parse(llama), Some(ServerLoad { preemptions: None, ..load }));
    assert_eq!(
        ServerLoad::parse("vllm:num_requests_running NaN\nvllm:num_requests_waiting 1"),
        None
    );
    assert_eq!(ServerLoad::parse("vllm:num_requests_running{ 1"), None);
    let huge = "vllm:num_requests_running 1e308\n".repeat(9) + "vllm:num_requests_waiting 0\n";
    assert!(ServerLoad::parse(&huge).is_some_and(|load| load.running.is_finite()));
    let huge = format!("{}\n{vllm}", "x".repeat(8 << 20));
    assert_eq!(ServerLoad::parse(&huge), None, "cut off");
}

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), 0.0..500.0, Just(f64::NAN), Just(f64::INFINITY), Just(-1.0)]
}

#[derive(Debug, Clone)]
enum Input {
    Completed(Sample),
    Overloaded(Overload),
    Server(ServerLoad),
    Tick(u32, u32),
}

fn input() -> impl Strategy<Value = Input> {
    let sample = (0_u64..40_000_000_000, 0_u64..3000, 0_u64..500, 0_u32..300);
    let wild = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u32>());
    let completed = |(latency_ns, input_tokens, output_tokens, in_flight)| {
        Input::Completed(Sample { latency_ns, input_tokens, output_tokens, in_flight })
    };
    let load = (
        anything(),
        anything(),
        prop::option::of(anything()),
        any::<Option<u64>>(),
        any::<Option<u32>>(),
    );
    prop_oneof![
        8 => sample.prop_map(completed),
        1 => wild.prop_map(completed),
        1 => prop_oneof![
            any::<Option<u64>>().prop_map(|retry_after_ns| Overload::Throttled { retry_after_ns }),
            Just(Overload::Failed),
        ].prop_map(Input::Overloaded),
        2 => load.prop_map(|(running, waiting, kv_usage, preemptions, max_running)| {
            Input::Server(ServerLoad { running, waiting, kv_usage, preemptions, max_running })
        }),
        2 => (any::<u32>(), any::<u32>()).prop_map(|(a, b)| Input::Tick(a, b)),
    ]
}

proptest! {
    #[test]
    fn the_limit_stays_within_its_bounds(
        (min, initial, max) in (0_u32..20, any::<u32>(), prop_oneof![0_u32..300, any::<u32>()]),
        latency_target_ns in prop::option::of(prop_oneof![any::<u64>(), 0_u64..10_000_000_000]),
        inputs in prop::collection::vec((input(), prop_oneof![0_u64..2_000_000_000, any::<u64>()]), 1..400),
    ) {
        let mut limiter = AutoLimiter::new(LimiterConfig { min, initial, max, latency_target_ns });
        let (least, most) = (min.max(1), max.max(min).max(1));
        let mut now: u64 = 0;
        for (input, pause) in inputs {
            // A wild pause is one in several; most of the run happens at plausible times.
            now = if pause < 2_000_000_000 { now.saturating_add(pause) } else { now ^ (pause >> 20) };
            match input {
                Input::Completed(sample) => limiter.completed(sample, now),
                Input::Overloaded(what) => limiter.overloaded(what, now),
                Input::Server(load) => limiter.server(load, now),
                Input::Tick(in_flight, waiting) => {
                    prop_assert_eq!(limiter.tick(in_flight, waiting, now), limiter.limit());
                }
            }
            prop_assert!((least..=most).contains(&limiter.limit()), "{}", limiter.limit());
            prop_assert!(Reason::ALL.contains(&limiter.reason()));
        }
    }

    #[test]
    fn no_text_upsets_the_parser(
        lines in prop::collection::vec(prop_oneof![
            "\\PC{0,60}",
            "vllm:num_requests_(running|waiting)(\\{[a-z=\"\\\\},]{0,12}\\}?)? ?[-+0-9eE.naNif]{0,8}",
            "llamacpp:(requests_processing|requests_deferred|kv_cache_usage_ratio) [-+0-9eE.]{0,6}",
        ], 0..20),
    ) {
        if let Some(load) = ServerLoad::parse(&lines.join("\n")) {
            prop_assert!(load.running >= 0.0 && load.waiting >= 0.0);
            prop_assert!(load.kv_usage.is_none_or(|usage| (0.0..=1.0).contains(&usage)));
        }
    }
}
