//! The vLLM model against what was published about vLLM, and against what a scheduler must keep.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and print")]

mod fit;
mod formula;
mod profiles;
mod properties;
mod scheduler;
mod validation;

use sage_core::vllm::{Engine, Profile, Request, Step, profile};

fn named(name: &str) -> &'static Profile {
    profile(name).expect("registered")
}

/// A profile whose front end takes no time.
fn bare(name: &str) -> Profile {
    Profile { api_ms_per_request: 0.0, api_us_per_token: 0.0, ..named(name).clone() }
}

/// All steps until nothing is left to do, from `now` on.
fn run(engine: &mut Engine, mut now: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(step) = engine.step(now) {
        now = step.ends_at_ns;
        steps.push(step);
    }
    steps
}

fn request(id: u64, prompt_tokens: u32, output: u32) -> Request {
    let (max_tokens, target_tokens) = (output, u32::MAX);
    Request { id, prompt_tokens, max_tokens, target_tokens, ..Request::default() }
}
