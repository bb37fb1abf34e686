//! Counters of a gateway, as read from outside.
//!
//! **`calls = ok + errors + in_flight + queued`, for each job and endpoint, at every moment.** A
//! call that the journal answers is a call and `ok`; one that waits for another call's answer to the
//! same question counts from the moment that it is answered or goes on by itself.

use std::collections::BTreeMap;

use sage_core::endpoint::ErrorClass;
use serde::{Deserialize, Serialize};

/// All counters of a gateway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayStats {
    /// One entry per endpoint, in the order of the settings.
    pub endpoints: Vec<EndpointStats>,
}

impl GatewayStats {
    /// The counters of the endpoint called `name`.
    pub fn endpoint(&self, name: &str) -> Option<&EndpointStats> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }
}

/// Counters of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointStats {
    /// Its name.
    pub name: String,
    /// Its concurrency limit now, over all its servers.
    pub limit: u32,
    /// Why the limit is what it is: `fixed`, or the limiter's word of the first server.
    pub limit_reason: String,
    /// Whether none of its servers can be reached at the moment.
    pub down: bool,
    /// Over all jobs.
    pub total: Counters,
    /// Per job. After very many jobs, further ones share the entry `(other)`.
    pub jobs: BTreeMap<String, Counters>,
    /// Per stage of each job, for calls that name one.
    pub stages: Vec<StageStats>,
    /// Its servers, in the order of the settings.
    pub replicas: Vec<ReplicaStats>,
    /// Answers that could not be kept in the journal, and went out all the same.
    pub not_kept: u64,
}

/// One server of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicaStats {
    /// Its address, without user or password.
    pub url: String,
    /// Most calls at once.
    pub limit: u32,
    /// Why the limit is what it is.
    pub limit_reason: String,
    /// Tries at it now.
    pub in_flight: u32,
    /// Whether it cannot be reached, or fails every call.
    pub down: bool,
    /// Whether it asked to be left alone (`Retry-After`) until later than now.
    pub held: bool,
    /// Tokens of the calls at it now, as estimated.
    pub outstanding_tokens: f64,
    /// Tries that reached it, hedges included.
    pub attempts: u64,
    /// Tries that failed.
    pub failures: u64,
}

/// What a stage of a job has used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageStats {
    /// Name of the job.
    pub job: String,
    /// Position of the stage in its plan.
    pub stage: u32,
    /// Calls answered with success.
    pub ok: u64,
    /// Items answered by the journal.
    pub cache_hits: u64,
    /// Tokens of the prompts that were paid.
    pub prompt_tokens: u64,
    /// Tokens of the answers that were paid.
    pub completion_tokens: u64,
    /// What they cost, by the endpoint's price.
    pub cost: f64,
}

/// Counters of calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Calls that came.
    pub calls: u64,
    /// Calls that were answered with success.
    pub ok: u64,
    /// Calls that were not, by class.
    pub errors: ErrorCounts,
    /// Tries that reached the upstream.
    pub attempts: u64,
    /// Tries after a call's first, hedges aside.
    pub retries: u64,
    /// Tries that the upstream turned away because it is busy (429, 503 with `Retry-After`).
    pub shed: u64,
    /// Second tries beside a slow first one.
    pub hedges: u64,
    /// Items answered by the journal.
    pub cache_hits: u64,
    /// Calls that hold a permit now.
    pub in_flight: u64,
    /// Calls that wait for a permit or their next try now.
    pub queued: u64,
    /// Most calls that held a permit at once.
    pub max_in_flight: u64,
    /// Tokens of the prompts that were paid.
    pub prompt_tokens: u64,
    /// Tokens of the answers that were paid.
    pub completion_tokens: u64,
    /// What they cost, by the endpoint's price.
    pub cost: f64,
}

impl Counters {
    /// Add the counters of another job. `max_in_flight` does not add up and is left alone.
    pub(super) fn add(&mut self, other: &Counters) {
        self.calls += other.calls;
        self.ok += other.ok;
        self.errors.add(&other.errors);
        self.attempts += other.attempts;
        self.retries += other.retries;
        self.shed += other.shed;
        self.hedges += other.hedges;
        self.cache_hits += other.cache_hits;
        self.in_flight += other.in_flight;
        self.queued += other.queued;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.cost += other.cost;
    }
}

/// Failed calls by class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented at ErrorClass")]
pub struct ErrorCounts {
    pub unreachable: u64,
    pub timeout: u64,
    pub throttled: u64,
    pub server: u64,
    pub rejected: u64,
    pub protocol: u64,
    pub abandoned: u64,
    pub cancelled: u64,
}

impl ErrorCounts {
    /// The calls of one class.
    pub fn of(&self, class: ErrorClass) -> u64 {
        match class {
            ErrorClass::Unreachable => self.unreachable,
            ErrorClass::Timeout => self.timeout,
            ErrorClass::Throttled => self.throttled,
            ErrorClass::Server => self.server,
            ErrorClass::Rejected => self.rejected,
            ErrorClass::Protocol => self.protocol,
            ErrorClass::Abandoned => self.abandoned,
            ErrorClass::Cancelled => self.cancelled,
        }
    }

    /// All failed calls.
    pub fn sum(&self) -> u64 {
        let ErrorCounts {
            unreachable,
            timeout,
            throttled,
            server,
            rejected,
            protocol,
            abandoned,
            cancelled,
        } = self;
        unreachable + timeout + throttled + server + rejected + protocol + abandoned + cancelled
    }

    pub(super) fn count(&mut self, class: ErrorClass) {
        let slot = match class {
            ErrorClass::Unreachable => &mut self.unreachable,
            ErrorClass::Timeout => &mut self.timeout,
            ErrorClass::Throttled => &mut self.throttled,
            ErrorClass::Server => &mut self.server,
            ErrorClass::Rejected => &mut self.rejected,
            ErrorClass::Protocol => &mut self.protocol,
            ErrorClass::Abandoned => &mut self.abandoned,
            ErrorClass::Cancelled => &mut self.cancelled,
        };
        *slot += 1;
    }

    fn add(&mut self, other: &ErrorCounts) {
        self.unreachable += other.unreachable;
        self.timeout += other.timeout;
        self.throttled += other.throttled;
        self.server += other.server;
        self.rejected += other.rejected;
        self.protocol += other.protocol;
        self.abandoned += other.abandoned;
        self.cancelled += other.cancelled;
    }
}
