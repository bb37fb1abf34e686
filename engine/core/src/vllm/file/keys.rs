//! Every key of a profile file: where it stands, what it holds, what it means.
//!
//! **A new setting is one line here**; reading, writing and the messages follow from the table.

use std::borrow::Cow;

use crate::vllm::profile::Profile;

/// What a key sets.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Text(fn(&mut Profile) -> &mut Cow<'static, str>),
    /// A number from 0.
    Number(fn(&mut Profile) -> &mut f64),
    /// A whole number from 1.
    Count(fn(&mut Profile) -> &mut u32),
    Flag(fn(&mut Profile) -> &mut bool),
    /// `fcfs` or `priority`.
    Scheduling,
    /// The KV cache in tokens; a profile holds blocks.
    KvTokens,
    /// Says what to start from, and is not part of the result.
    BaseName,
    /// Likewise, a number above 0.
    BaseNumber,
    /// Likewise, a whole number from 1.
    BaseCount,
    /// Likewise, a share above 0 and at most 1, and the value where the file has none.
    BaseShare(f64),
}

pub(super) struct Key {
    /// Empty at the head of the file.
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) field: Field,
    /// For the reader of a written file: unit and meaning.
    pub(super) help: &'static str,
}

const fn key(section: &'static str, name: &'static str, field: Field, help: &'static str) -> Key {
    Key { section, name, field, help }
}

/// All keys, in the order in which they are written.
pub(super) static KEYS: &[Key] = &[
    key("", "name", Field::Text(|p| &mut p.name), "for people and reports"),
    key("", "model", Field::Text(|p| &mut p.model), "the model id that is served"),
    key("", "base", Field::BaseName, "profile to start from"),
    key("gpu", "bandwidth_gb_s", Field::BaseNumber, "memory bandwidth, GB/s"),
    key("gpu", "peak_tflops", Field::BaseNumber, "dense BF16 peak, TFLOP/s"),
    key("gpu", "memory_gib", Field::BaseNumber, "memory, GiB"),
    key("gpu", "memory_utilization", Field::BaseShare(0.9), "share of it for vLLM"),
    key("gpu", "read_efficiency", Field::BaseShare(0.76), "of the bandwidth, for weights"),
    key("gpu", "matmul_efficiency", Field::BaseShare(0.735), "of the peak, in matrix products"),
    key("gpu", "kv_read_efficiency", Field::BaseShare(0.72), "of the bandwidth, for the KV cache"),
    key("gpu", "attention_efficiency", Field::BaseShare(0.6), "of the peak, in prefill attention"),
    key("architecture", "layers", Field::BaseCount, ""),
    key("architecture", "hidden", Field::BaseCount, "width of the residual stream"),
    key("architecture", "intermediate", Field::BaseCount, "width of the feed-forward block"),
    key("architecture", "query_heads", Field::BaseCount, ""),
    key("architecture", "kv_heads", Field::BaseCount, ""),
    key("architecture", "head_dim", Field::BaseCount, ""),
    key("architecture", "vocabulary", Field::BaseCount, "rows of the output layer"),
    key("step", "weights_ms", Field::Number(|p| &mut p.costs.weights), "M: read the weights once"),
    key("step", "compute_ms", Field::Number(|p| &mut p.costs.compute), "C: products, per token"),
    key(
        "step",
        "elementwise_ms",
        Field::Number(|p| &mut p.costs.elementwise),
        "e: element-wise kernels, per token",
    ),
    key(
        "step",
        "decode_context_ms",
        Field::Number(|p| &mut p.costs.decode_context),
        "d: decode attention, per token of context",
    ),
    key(
        "step",
        "mixed_factor",
        Field::Number(|p| &mut p.costs.mixed_factor),
        "g: times d while a step holds a prefill chunk",
    ),
    key(
        "step",
        "prefill_pair_ms",
        Field::Number(|p| &mut p.costs.prefill_pair),
        "q: prefill attention, per pair of query and key",
    ),
    key(
        "step",
        "head_weights_ms",
        Field::Number(|p| &mut p.costs.head_weights),
        "LM: output layer",
    ),
    key(
        "step",
        "head_compute_ms",
        Field::Number(|p| &mut p.costs.head_compute),
        "LC: output layer, per emitting sequence",
    ),
    key("step", "overhead_ms", Field::Number(|p| &mut p.costs.step_overhead), "o0: CPU, per step"),
    key(
        "step",
        "sequence_overhead_ms",
        Field::Number(|p| &mut p.costs.sequence_overhead),
        "o1: CPU, per emitting sequence",
    ),
    key(
        "limits",
        "max_num_seqs",
        Field::Count(|p| &mut p.max_num_seqs),
        "requests that run at once",
    ),
    key(
        "limits",
        "max_num_batched_tokens",
        Field::Count(|p| &mut p.max_num_batched_tokens),
        "tokens of a step",
    ),
    key(
        "limits",
        "max_model_len",
        Field::Count(|p| &mut p.max_model_len),
        "prompt and answer, tokens",
    ),
    key("limits", "block_size", Field::Count(|p| &mut p.block_size), "tokens of a KV block"),
    key("limits", "kv_tokens", Field::KvTokens, "tokens that the KV cache holds"),
    key(
        "server",
        "api_ms_per_request",
        Field::Number(|p| &mut p.api_ms_per_request),
        "API server, ms per request",
    ),
    key(
        "server",
        "api_us_per_token",
        Field::Number(|p| &mut p.api_us_per_token),
        "API server, us per prompt token",
    ),
    key("server", "scheduling", Field::Scheduling, "\"fcfs\" or \"priority\""),
    key(
        "server",
        "chunked_prefill",
        Field::Flag(|p| &mut p.chunked_prefill),
        "cut prompts to fit beside decoding requests",
    ),
];

/// Names of the sections, the head of the file left out.
pub(super) const SECTIONS: [&str; 5] = ["gpu", "architecture", "step", "limits", "server"];
