//! Against an independent implementation of the same formula, from which the constants come.

use sage_core::vllm::{Engine, Load, PROFILES, Profile, step_ms};

use super::{named, request};

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
    let (mut now, warm, end) = (0, 20_000_000_000, 60_000_000_000);
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
