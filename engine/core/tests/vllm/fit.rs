//! A profile is recovered from what clients see of it.

use proptest::prelude::*;
use sage_core::vllm::fit::{Cell, Figures, FitError, Sample, fit, replay};
use sage_core::vllm::{PROFILES, Profile};

use super::named;

/// A cell with the lengths only, as a plan has it.
fn planned(concurrency: u32, requests: u32, input: u32, output: u32, held_out: bool) -> Cell {
    let sample = |index: u32| Sample {
        prompt_tokens: input * 3 / 4 + index * 37 % (input / 2 + 1),
        output_tokens: output * 3 / 4 + index * 13 % (output / 2 + 1),
        sent_ns: 0,
        first_ns: 0,
        last_ns: 0,
    };
    let name = format!("C={concurrency}, {input}/{output}");
    Cell { name, concurrency, held_out, samples: (0..requests).map(sample).collect() }
}

fn probe(truth: &Profile) -> Vec<Cell> {
    let mut cells = vec![
        planned(1, 3, 40, 48, false),
        planned(1, 3, 1500, 8, false),
        planned(4, 8, 256, 24, false),
        planned(16, 24, 256, 24, false),
        planned(64, 80, 128, 16, false),
        planned(8, 16, 700, 16, true),
        planned(32, 48, 128, 24, true),
    ];
    for cell in &mut cells {
        cell.samples = replay(truth, cell);
    }
    cells
}

/// `profile` in a world that runs `speed` times as fast.
fn faster(profile: &Profile, speed: f64) -> Profile {
    let mut profile = profile.clone();
    let costs = &mut profile.costs;
    for cost in [
        &mut costs.weights,
        &mut costs.compute,
        &mut costs.elementwise,
        &mut costs.decode_context,
        &mut costs.prefill_pair,
        &mut costs.head_weights,
        &mut costs.head_compute,
        &mut costs.step_overhead,
        &mut costs.sequence_overhead,
        &mut profile.api_ms_per_request,
        &mut profile.api_us_per_token,
    ] {
        *cost /= speed;
    }
    profile
}

#[test]
fn known_profiles_are_recovered_at_any_speed() {
    for (truth, speed) in [(&PROFILES[2], 1.0), (&PROFILES[3], 7.0)] {
        let truth = faster(truth, speed);
        let fitted = fit(&probe(&truth), "unheard-of").unwrap();
        let [throughput, ttft, tpot, latency] = fitted.errors(true).unwrap();
        println!(
            "{} at {speed}: from {}, held out: throughput {:.1}%, TTFT {:.1}%, TPOT {:.1}%, latency {:.1}%",
            truth.name,
            fitted.base,
            throughput * 100.0,
            ttft * 100.0,
            tpot * 100.0,
            latency * 100.0
        );
        assert!(throughput < 0.04 && tpot < 0.05 && ttft < 0.10, "{:?}", fitted.errors(true));
    }
}

#[test]
fn a_machine_that_is_not_known_is_approximated() {
    // Slower weights, faster arithmetic, packed heads, another front end: no factor on a known one.
    let mut truth = named("a100/llama-3-8b").clone();
    truth.costs.weights *= 1.6;
    truth.costs.compute *= 0.7;
    truth.costs.decode_context *= 1.8;
    truth.costs.mixed_factor = 1.0;
    truth.costs.prefill_pair *= 2.0;
    truth.api_ms_per_request = 3.0;
    let fitted = fit(&probe(&truth), "unheard-of").unwrap();
    let [throughput, _, tpot, _] = fitted.errors(true).unwrap();
    println!("held out: throughput {:.1}%, TPOT {:.1}%", throughput * 100.0, tpot * 100.0);
    assert!(throughput < 0.08 && tpot < 0.08, "{:?}", fitted.errors(true));
}

#[test]
fn a_known_model_is_fitted_from_its_own_profile() {
    let truth = faster(named("a100/qwen3-14b"), 3.0);
    let fitted = fit(&probe(&truth), "qwen/QWEN3-14B").unwrap();
    assert_eq!(fitted.base, "a100/qwen3-14b");
    assert!(fitted.errors(false).unwrap().iter().all(|error| *error < 0.03));
    let again = Profile::from_toml(&fitted.profile.to_toml("")).unwrap();
    assert_eq!(again, fitted.profile);
}

#[test]
fn too_little_is_said_to_be_too_little() {
    let truth = named("a100/llama-3-8b");
    assert_eq!(fit(&[], "m").unwrap_err(), FitError::NoCells);
    let held_out = probe(truth).into_iter().filter(|cell| cell.held_out).collect::<Vec<_>>();
    assert_eq!(fit(&held_out, "m").unwrap_err(), FitError::NoCells);
    let crowds = probe(truth).into_iter().filter(|cell| cell.concurrency > 1).collect::<Vec<_>>();
    assert_eq!(fit(&crowds, "m").unwrap_err(), FitError::NoLoneCell);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every request that fits is answered, in order, in time order, and figures are finite.
    #[test]
    fn a_replay_answers_everything(
        sizes in prop::collection::vec((0_u32..600, 1_u32..40), 1..30),
        concurrency in 1_u32..40,
    ) {
        let profile = Profile { max_model_len: 500, ..named("a100/llama-3-8b").clone() };
        let samples = sizes.iter().map(|&(prompt_tokens, output_tokens)| Sample {
            prompt_tokens, output_tokens, sent_ns: 0, first_ns: 0, last_ns: 0,
        });
        let cell = Cell { concurrency, samples: samples.collect(), ..Cell::default() };
        let seen = replay(&profile, &cell);
        let fitting = sizes.iter().filter(|(prompt, _)| *prompt < 500).count();
        prop_assert_eq!(seen.len(), fitting);
        for sample in &seen {
            prop_assert!(sample.sent_ns < sample.first_ns && sample.first_ns <= sample.last_ns);
        }
        let figures = Figures::of(&seen);
        prop_assert!(figures.throughput.is_finite() && figures.ttft_ms.is_finite());
        prop_assert!(fitting == 0 || figures.throughput > 0.0);
    }
}
