//! The machines and models that can be simulated by name.
//!
//! The step constants are derived from each model's published architecture and the GPU's published
//! bandwidth and peak, times efficiencies fitted once to Vidur's A100 profile (0.76 of bandwidth,
//! 0.735 of peak in matrix products, 0.72 and 0.60 in attention). Limits are vLLM's own defaults
//! for an A100. **A new profile is one `const` and one line in [`PROFILES`].**

use super::step::Costs;

/// What the step time needs to know about a GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gpu {
    /// Memory bandwidth, bytes a second.
    pub bandwidth: f64,
    /// Dense BF16 peak, operations a second.
    pub peak: f64,
}

/// What the step time needs to know about a decoder-only transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// Layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Width of the gated feed-forward block.
    pub intermediate: u32,
    /// Query heads.
    pub query_heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Rows of the output layer.
    pub vocabulary: u32,
}

impl Architecture {
    /// Parameters of all layers, without embeddings and output layer.
    pub const fn layer_parameters(&self) -> f64 {
        let (hidden, head) = (self.hidden as f64, self.head_dim as f64);
        let (queries, keys) = (self.query_heads as f64, self.kv_heads as f64);
        let attention = hidden * (2.0 * queries + 2.0 * keys) * head;
        let feed_forward = 3.0 * hidden * self.intermediate as f64;
        self.layers as f64 * (attention + feed_forward)
    }

    /// Bytes of keys and values of one token, at two bytes a number.
    pub const fn kv_bytes(&self) -> u32 {
        2 * self.layers * self.kv_heads * self.head_dim * 2
    }

    /// Step constants of this model on `gpu`.
    pub const fn costs(&self, gpu: &Gpu) -> Costs {
        let layers = self.layer_parameters();
        let head = self.vocabulary as f64 * self.hidden as f64;
        let gemm_ms = 1e3 / (gpu.peak * 0.735);
        let read_ms = 1e3 / (gpu.bandwidth * 0.76);
        let group = 0.8 * self.query_heads as f64 / self.kv_heads as f64;
        let pairs = self.query_heads as f64 * self.head_dim as f64 * self.layers as f64;
        Costs {
            weights: 2.0 * layers * read_ms,
            compute: 2.0 * layers * gemm_ms,
            elementwise: 4e-3 * self.layers as f64 * self.hidden as f64 / (32.0 * 4096.0),
            decode_context: self.kv_bytes() as f64 * 1e3 / (gpu.bandwidth * 0.72),
            mixed_factor: if group > 1.0 { group } else { 1.0 },
            prefill_pair: 4.0 * pairs * 1e3 / (gpu.peak * 0.60),
            head_weights: 2.0 * head * read_ms,
            head_compute: 2.0 * head * gemm_ms,
            step_overhead: 1.0,
            sequence_overhead: 0.012,
        }
    }
}

/// One model served by one vLLM server on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name in the language: `gpu/model`.
    pub name: &'static str,
    /// The model id that the server serves.
    pub model: &'static str,
    /// The model.
    pub architecture: Architecture,
    /// Step constants.
    pub costs: Costs,
    /// KV blocks that are left after weights, activations and CUDA graphs.
    pub kv_blocks: u32,
    /// Tokens of a KV block.
    pub block_size: u32,
    /// Most sequences that run at once.
    pub max_num_seqs: u32,
    /// Most tokens of a step.
    pub max_num_batched_tokens: u32,
    /// Longest prompt and answer together.
    pub max_model_len: u32,
    /// Serial time of the API server for each request, milliseconds: one tokeniser thread a server
    /// (vLLM issue 25301).
    pub api_ms_per_request: f64,
}

const A100_80GB: Gpu = Gpu { bandwidth: 2.039e12, peak: 312e12 };

const fn on_a100(
    (name, model): (&'static str, &'static str),
    architecture: Architecture,
    kv_blocks: u32,
    max_model_len: u32,
) -> Profile {
    Profile {
        name,
        model,
        architecture,
        costs: architecture.costs(&A100_80GB),
        kv_blocks,
        block_size: 16,
        max_num_seqs: 256,
        max_num_batched_tokens: 2048,
        max_model_len,
        api_ms_per_request: 1.5,
    }
}

const LLAMA_2_7B: Profile = on_a100(
    ("a100/llama-2-7b", "meta-llama/Llama-2-7b-chat-hf"),
    Architecture {
        layers: 32,
        hidden: 4096,
        intermediate: 11_008,
        query_heads: 32,
        kv_heads: 32,
        head_dim: 128,
        vocabulary: 32_000,
    },
    7_187,
    4_096,
);

const LLAMA_3_8B: Profile = on_a100(
    ("a100/llama-3-8b", "meta-llama/Meta-Llama-3-8B-Instruct"),
    Architecture {
        layers: 32,
        hidden: 4096,
        intermediate: 14_336,
        query_heads: 32,
        kv_heads: 8,
        head_dim: 128,
        vocabulary: 128_256,
    },
    27_812,
    8_192,
);

const QWEN2_5_7B: Profile = on_a100(
    ("a100/qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct"),
    Architecture {
        layers: 28,
        hidden: 3584,
        intermediate: 18_944,
        query_heads: 28,
        kv_heads: 4,
        head_dim: 128,
        vocabulary: 152_064,
    },
    64_375,
    32_768,
);

const QWEN3_14B: Profile = on_a100(
    ("a100/qwen3-14b", "Qwen/Qwen3-14B"),
    Architecture {
        layers: 40,
        hidden: 5120,
        intermediate: 17_408,
        query_heads: 40,
        kv_heads: 8,
        head_dim: 128,
        vocabulary: 151_936,
    },
    16_875,
    40_960,
);

/// All profiles, by name.
pub const PROFILES: &[Profile] = &[LLAMA_2_7B, LLAMA_3_8B, QWEN2_5_7B, QWEN3_14B];

/// The profile called `name`, in any case.
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name.eq_ignore_ascii_case(name))
}

/// Names of all profiles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|profile| profile.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found_in_any_case() {
        assert!(PROFILES.is_sorted_by_key(|profile| profile.name));
        assert_eq!(profile("A100/Qwen2.5-7B").map(|p| p.name), Some("a100/qwen2.5-7b"));
        assert_eq!(profile("a100/unknown"), None);
    }

    #[test]
    fn the_longest_request_fits_the_cache() {
        for profile in PROFILES {
            assert!(profile.kv_blocks * profile.block_size >= profile.max_model_len);
        }
    }
}
