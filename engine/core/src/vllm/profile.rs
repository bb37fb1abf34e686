//! What tells one simulated server from another.

use std::borrow::Cow;

use super::sequence::{Finish, Rejected, Request};
use super::step::Costs;

/// One model served by one vLLM server on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Name in the language: `gpu/model`.
    pub name: Cow<'static, str>,
    /// The model id that the server serves.
    pub model: Cow<'static, str>,
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
    /// Time of the API server for each request, milliseconds: one process, one tokeniser thread
    /// (vLLM issue 25301).
    pub api_ms_per_request: f64,
    /// Time of the API server for each prompt token, microseconds.
    pub api_us_per_token: f64,
    /// Who goes first.
    pub scheduling: Scheduling,
    /// Whether prompts are cut to fit beside decoding requests, as vLLM does since V1. Without it a
    /// step holds either whole prompts or decoding requests, prompts first, as in the first vLLM.
    pub chunked_prefill: bool,
}

impl Profile {
    /// Tokens that may follow a prompt of `prompt_tokens`, or why it can never run. The cache bounds
    /// the answer too, so that a request alone in the server always gets to its end.
    pub(super) fn room(&self, prompt_tokens: u32) -> Result<u32, Rejected> {
        let limit = self.max_model_len;
        if prompt_tokens >= limit {
            return Err(Rejected::ContextLength { prompt_tokens, limit });
        }
        let capacity = self.kv_blocks.saturating_mul(self.block_size.max(1));
        if prompt_tokens.max(1) > capacity {
            return Err(Rejected::CacheCapacity { prompt_tokens, capacity });
        }
        // The last token's keys and values are never needed.
        Ok((limit - prompt_tokens).min(capacity - prompt_tokens.max(1) + 1))
    }

    /// How many tokens `request` gets and why it then ends, or why it is not accepted: known before
    /// it runs, since what a server is busy with decides only when.
    pub fn end_of(&self, request: &Request) -> Result<(u32, Finish), Rejected> {
        Ok(request.goal(self.room(request.prompt_tokens)?))
    }
}

/// Who goes first among waiting requests, and who is preempted last; vLLM's `--scheduling-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduling {
    /// First come, first served; a request's priority says nothing.
    #[default]
    Fcfs,
    /// Lower priority first, then first come, first served.
    Priority,
}
