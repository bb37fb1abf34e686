//! How long one step of the engine takes.
//!
//! ```text
//! step = hypot(M, C*T)                 weights are read, or the matrix units are busy
//!      + e*T                           norms, rotary embedding, activations
//!      + d*K*(g if any prefill)        decode attention reads the KV cache
//!      + q*sum(chunk*(ctx + chunk/2))  prefill attention
//!      + hypot(LM, LC*B)               the output layer, for the B sequences that emit a token
//!      + o0 + o1*B                     scheduling, sampling, detokenising on the CPU
//! ```
//!
//! `T` counts all tokens of the step, `K` the context of all decoding sequences. The quadratic mean
//! joins the memory-bound and the compute-bound regime within 5 % of Vidur's profiled matrix
//! products on an A100 (MLSys 2024; `mlp.csv`). `g` is the unobvious term: in a step that mixes
//! prefill and decode, grouped-query heads cost about as if they were not packed; without it
//! GPUStack's published Qwen3-14B runs come out 16 to 23 % too fast.

/// Constants of the step time, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Costs {
    /// `M`: reading the layers' weights once.
    pub weights: f64,
    /// `C`: the layers' matrix products, per token.
    pub compute: f64,
    /// `e`: element-wise kernels, per token.
    pub elementwise: f64,
    /// `d`: decode attention, per token of context.
    pub decode_context: f64,
    /// `g`: factor on `d` while the step holds a prefill chunk.
    pub mixed_factor: f64,
    /// `q`: prefill attention, per pair of query and key token.
    pub prefill_pair: f64,
    /// `LM`: reading the output layer once.
    pub head_weights: f64,
    /// `LC`: the output layer, per emitting sequence.
    pub head_compute: f64,
    /// `o0`: CPU time of a step.
    pub step_overhead: f64,
    /// `o1`: CPU time per emitting sequence.
    pub sequence_overhead: f64,
}

/// What one step holds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// `T`: tokens computed.
    pub tokens: u32,
    /// Sequences with at least one token in the step.
    pub sequences: u32,
    /// Tokens that belong to prefill chunks.
    pub prefill_tokens: u32,
    /// `K`: sum of the context lengths of the decoding sequences.
    pub decode_context: u64,
    /// Sum over prefill chunks of `chunk * (context before + chunk / 2)`.
    pub prefill_pairs: f64,
    /// `B`: sequences that emit a token.
    pub emitting: u32,
}

impl Load {
    /// Add a decoding sequence whose context, the new token included, is `context`.
    pub fn decode(&mut self, context: u32) {
        self.tokens += 1;
        self.sequences += 1;
        self.decode_context += u64::from(context);
    }

    /// Add a prefill chunk of `chunk` tokens after `before` computed ones.
    pub fn prefill(&mut self, chunk: u32, before: u32) {
        self.tokens += chunk;
        self.sequences += 1;
        self.prefill_tokens += chunk;
        let chunk = f64::from(chunk);
        self.prefill_pairs += chunk * (f64::from(before) + chunk / 2.0);
    }
}

/// Time of a step in milliseconds.
///
/// ```
/// use sage_core::vllm::{Load, profile, step_ms};
/// let costs = &profile("a100/llama-3-8b").expect("registered").costs;
/// let mut decode = Load { emitting: 1, ..Load::default() };
/// decode.decode(512);
/// assert!((step_ms(costs, &decode) - 10.7).abs() < 0.1);
/// ```
pub fn step_ms(costs: &Costs, load: &Load) -> f64 {
    let (tokens, emitting) = (f64::from(load.tokens), f64::from(load.emitting));
    let mixed = if load.prefill_tokens > 0 { costs.mixed_factor } else { 1.0 };
    let head = if load.emitting > 0 {
        costs.head_weights.hypot(costs.head_compute * emitting)
    } else {
        0.0
    };
    costs.weights.hypot(costs.compute * tokens)
        + costs.elementwise * tokens
        + costs.decode_context * load.decode_context as f64 * mixed
        + costs.prefill_pair * load.prefill_pairs
        + head
        + costs.step_overhead
        + costs.sequence_overhead * emitting
}
