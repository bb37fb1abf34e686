//! From a model's architecture and a GPU's data sheet to the constants of the step time.

use super::step::Costs;

/// Memory that activations and CUDA graphs take, bytes.
const RESERVED: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;

/// What the step time needs to know about a GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gpu {
    /// Memory bandwidth, bytes a second.
    pub bandwidth: f64,
    /// Dense BF16 peak, operations a second.
    pub peak: f64,
    /// What of these is reached.
    pub efficiency: Efficiency,
}

/// Shares of a GPU's bandwidth and peak that vLLM's kernels reach, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Efficiency {
    /// Of the bandwidth, reading weights.
    pub read: f64,
    /// Of the peak, in matrix products.
    pub matmul: f64,
    /// Of the bandwidth, reading the KV cache.
    pub kv_read: f64,
    /// Of the peak, in prefill attention.
    pub attention: f64,
}

impl Efficiency {
    /// Fitted to Vidur's profile of an A100 (reads and products) and to published vLLM runs on one.
    pub const A100: Efficiency =
        Efficiency { read: 0.76, matmul: 0.735, kv_read: 0.72, attention: 0.60 };
}

impl Gpu {
    /// An A100 with 80 GB.
    pub const A100_80GB: Gpu =
        Gpu { bandwidth: 2.039e12, peak: 312e12, efficiency: Efficiency::A100 };
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

    /// KV tokens that `memory` bytes of a GPU hold beside weights, embeddings and 2 GiB for the rest.
    pub fn kv_tokens(&self, memory: f64) -> f64 {
        let embeddings = 2.0 * f64::from(self.vocabulary) * f64::from(self.hidden);
        let weights = 2.0 * (self.layer_parameters() + embeddings);
        ((memory - weights - RESERVED) / f64::from(self.kv_bytes())).max(0.0)
    }

    /// Step constants of this model on `gpu`.
    pub const fn costs(&self, gpu: &Gpu) -> Costs {
        let layers = self.layer_parameters();
        let head = self.vocabulary as f64 * self.hidden as f64;
        let gemm_ms = 1e3 / (gpu.peak * gpu.efficiency.matmul);
        let read_ms = 1e3 / (gpu.bandwidth * gpu.efficiency.read);
        let group = 0.8 * self.query_heads as f64 / self.kv_heads as f64;
        let pairs = self.query_heads as f64 * self.head_dim as f64 * self.layers as f64;
        Costs {
            weights: 2.0 * layers * read_ms,
            compute: 2.0 * layers * gemm_ms,
            elementwise: 4e-3 * self.layers as f64 * self.hidden as f64 / (32.0 * 4096.0),
            decode_context: self.kv_bytes() as f64 * 1e3 / (gpu.bandwidth * gpu.efficiency.kv_read),
            mixed_factor: if group > 1.0 { group } else { 1.0 },
            prefill_pair: 4.0 * pairs * 1e3 / (gpu.peak * gpu.efficiency.attention),
            head_weights: 2.0 * head * read_ms,
            head_compute: 2.0 * head * gemm_ms,
            step_overhead: 1.0,
            sequence_overhead: 0.012,
        }
    }
}
