//! The machines and models that can be simulated by name.
//!
//! The step constants are derived from each model's published architecture and the GPU's published
//! bandwidth and peak (see [`Architecture::costs`]). Limits are vLLM's own defaults for an A100.
//! **A new profile is one `const` and one line in [`PROFILES`]**, or a file of the user's.

use std::borrow::Cow;

use super::architecture::{Architecture, Gpu};
use super::profile::{Profile, Scheduling};

const fn on_a100(
    (name, model): (&'static str, &'static str),
    architecture: Architecture,
    kv_blocks: u32,
    max_model_len: u32,
) -> Profile {
    Profile {
        name: Cow::Borrowed(name),
        model: Cow::Borrowed(model),
        costs: architecture.costs(&Gpu::A100_80GB),
        kv_blocks,
        block_size: 16,
        max_num_seqs: 256,
        max_num_batched_tokens: 2048,
        max_model_len,
        api_ms_per_request: API_MS_PER_REQUEST,
        api_us_per_token: API_US_PER_TOKEN,
        scheduling: Scheduling::Fcfs,
        chunked_prefill: true,
    }
}

const LLAMA_2_7B_ARCHITECTURE: Architecture = Architecture {
    layers: 32,
    hidden: 4096,
    intermediate: 11_008,
    query_heads: 32,
    kv_heads: 32,
    head_dim: 128,
    vocabulary: 32_000,
};

const LLAMA_2_7B: Profile = on_a100(
    ("a100/llama-2-7b", "meta-llama/Llama-2-7b-chat-hf"),
    LLAMA_2_7B_ARCHITECTURE,
    7_187,
    4_096,
);

const LLAMA_3_8B_ARCHITECTURE: Architecture = Architecture {
    layers: 32,
    hidden: 4096,
    intermediate: 14_336,
    query_heads: 32,
    kv_heads: 8,
    head_dim: 128,
    vocabulary: 128_256,
};

const LLAMA_3_8B: Profile = on_a100(
    ("a100/llama-3-8b", "meta-llama/Meta-Llama-3-8B-Instruct"),
    LLAMA_3_8B_ARCHITECTURE,
    27_812,
    8_192,
);

const QWEN2_5_7B_ARCHITECTURE: Architecture = Architecture {
    layers: 28,
    hidden: 3584,
    intermediate: 18_944,
    query_heads: 28,
    kv_heads: 4,
    head_dim: 128,
    vocabulary: 152_064,
};

const QWEN2_5_7B: Profile = on_a100(
    ("a100/qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct"),
    QWEN2_5_7B_ARCHITECTURE,
    64_375,
    32_768,
);

const QWEN3_14B_ARCHITECTURE: Architecture = Architecture {
    layers: 40,
    hidden: 5120,
    intermediate: 17_408,
    query_heads: 40,
    kv_heads: 8,
    head_dim: 128,
    vocabulary: 151_936,
};

const QWEN3_14B: Profile =
    on_a100(("a100/qwen3-14b", "Qwen/Qwen3-14B"), QWEN3_14B_ARCHITECTURE, 16_875, 40_960);

/// Of the API server of vLLM 0.11.0: fitted to GPUStack's bursts of 1000 requests, whose tokens
/// come about 1000 times as many milliseconds late. BLIS fits 15.6 ms a request, on other data.
pub(super) const API_MS_PER_REQUEST: f64 = 11.0;

/// A tokeniser does about 1000 tokens a millisecond (vLLM issue 19012).
pub(super) const API_US_PER_TOKEN: f64 = 1.0;

/// All profiles, by name.
pub static PROFILES: &[Profile] = &[LLAMA_2_7B, LLAMA_3_8B, QWEN2_5_7B, QWEN3_14B];

/// The profile called `name`, in any case.
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name.eq_ignore_ascii_case(name))
}

/// Names of all profiles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|profile| profile.name.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found_in_any_case() {
        assert!(PROFILES.is_sorted_by_key(|profile| &profile.name));
        assert_eq!(profile("A100/Qwen2.5-7B").map(|p| p.name.as_ref()), Some("a100/qwen2.5-7b"));
        assert_eq!(profile("a100/unknown"), None);
    }

    #[test]
    fn the_published_cache_sizes_follow_from_the_memory() {
        let memory = 0.9 * 79.2 * 1024.0 * 1024.0 * 1024.0;
        for (architecture, profile) in [
            (LLAMA_2_7B_ARCHITECTURE, &LLAMA_2_7B),
            (LLAMA_3_8B_ARCHITECTURE, &LLAMA_3_8B),
            (QWEN2_5_7B_ARCHITECTURE, &QWEN2_5_7B),
            (QWEN3_14B_ARCHITECTURE, &QWEN3_14B),
        ] {
            let derived = architecture.kv_tokens(memory);
            let stated = f64::from(profile.kv_blocks * profile.block_size);
            assert!((derived / stated - 1.0).abs() < 0.05, "{}: {derived}", profile.name);
        }
    }

    #[test]
    fn the_longest_request_fits_the_cache() {
        for profile in PROFILES {
            assert!(profile.kv_blocks * profile.block_size >= profile.max_model_len);
        }
    }
}
