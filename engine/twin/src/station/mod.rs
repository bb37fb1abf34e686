//! A shared endpoint in virtual time: the gateway's line, limiter, rates, retries and servers.
//!
//! The caller's loop is: [`submit`](Station::submit) calls as they come, ask
//! [`next_ns`](Station::next_ns) for the next moment something happens in here, and
//! [`advance`](Station::advance) to it; answers come out in order of time.

use std::sync::Arc;

use sage_core::endpoint::{ErrorClass, Lane};

use crate::model::{EndpointModel, Work};

/// One call on its way.
#[derive(Debug, Clone)]
pub struct StationCall {
    /// Number of the call, unique among those in flight.
    pub id: u64,
    /// Position of its job.
    pub job: usize,
    /// Lane of the line.
    pub lane: Lane,
    /// Its items, all `Embed` or all `Generate`; `Wait` for servers of kind `Queue`.
    pub items: Arc<[Work]>,
    /// Given up at this time.
    pub deadline_ns: u64,
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Number of the call.
    pub id: u64,
    /// When.
    pub at_ns: u64,
    /// Prompt and generated tokens of each item, or why there is none.
    pub result: Result<Vec<(u32, u32)>, ErrorClass>,
    /// Tries.
    pub attempts: u32,
    /// When the first token of the first item was there.
    pub first_token_ns: Option<u64>,
}

/// Figures of one endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StationStats {
    /// Calls that were submitted.
    pub calls: u64,
    /// Calls with an answer.
    pub ok: u64,
    /// Calls without.
    pub errors: u64,
    /// Tries at a server.
    pub attempts: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Most calls at the servers at once.
    pub max_in_flight: u64,
    /// The limit as it stands.
    pub limit: u32,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Generated tokens.
    pub completion_tokens: u64,
    /// Prompt tokens found in a prefix cache.
    pub cached_tokens: u64,
    /// Preemptions at the servers.
    pub preemptions: u64,
    /// Time during which a server computed, nanoseconds, all servers together.
    pub busy_ns: u64,
}

/// One endpoint. To be built.
#[derive(Debug)]
pub struct Station {
    _model: EndpointModel,
}
