//! What the engine tells its driver: tokens, steps, counters.

use super::sequence::Finish;
use super::step::Load;

/// One token of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emission {
    /// The request.
    pub id: u64,
    /// Its tokens so far, this one included: 1 is the first token.
    pub produced: u32,
    /// Set with its last token.
    pub finish: Option<Finish>,
}

/// A request that begins to run.
///
/// The phases that vLLM's metrics name follow from it: `queue` from `queued_at_ns` to the start of
/// the step, `prefill` from there to the first token, `decode` from there to the last. After a
/// preemption a request is admitted again; the first time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// The request.
    pub id: u64,
    /// When it left the front end.
    pub queued_at_ns: u64,
    /// Tokens of its prompt that were found in the prefix cache.
    pub cached_tokens: u32,
    /// Whether it ran before and was preempted.
    pub again: bool,
}

/// One step of the server. Without tokens and sequences it is a pause until the front end has
/// passed the next request on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// When it begins.
    pub starts_at_ns: u64,
    /// When it ends: its tokens appear then, and the next step may be asked for.
    pub ends_at_ns: u64,
    /// The tokens.
    pub emitted: Vec<Emission>,
    /// Requests that begin to run with this step, at its start.
    pub admitted: Vec<Admission>,
    /// What it computes.
    pub load: Load,
}

/// Counters and gauges, as on vLLM's `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stats {
    /// Requests that run.
    pub running: usize,
    /// Requests that wait for room.
    pub waiting: usize,
    /// Requests in the front end.
    pub arriving: usize,
    /// KV blocks in use.
    pub kv_blocks_used: u32,
    /// Share of KV blocks in use, 0 to 1.
    pub kv_usage: f64,
    /// Preemptions so far.
    pub preemptions: u64,
    /// Prompt tokens looked up in the prefix cache.
    pub prefix_queries: u64,
    /// Prompt tokens found there.
    pub prefix_hits: u64,
    /// Prompt tokens of admitted requests.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub generated_tokens: u64,
    /// Requests that ended with [`Finish::Stop`].
    pub stopped: u64,
    /// Requests that ended with [`Finish::Length`].
    pub cut: u64,
    /// Requests that were cancelled.
    pub cancelled: u64,
    /// Steps with work.
    pub steps: u64,
}
