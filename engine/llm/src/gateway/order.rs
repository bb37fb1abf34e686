//! A call as it is on its way: what is sent, for whom, and until when.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use sage_core::endpoint::{CacheMode, Lane};
use sage_core::upstream::settings::{DEFAULT_DEADLINE_NS, UNNAMED_ANSWER};
use tokio::time::Instant;

use super::turnstile::Visitor;

/// Time of a call that brings no deadline.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_nanos(DEFAULT_DEADLINE_NS);

/// Operations of the API that are calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Completions,
    Embeddings,
}

impl Operation {
    /// All of them.
    pub(super) const ALL: [Operation; 3] =
        [Operation::Chat, Operation::Completions, Operation::Embeddings];

    /// Its path behind the version.
    pub(super) fn path(self) -> &'static str {
        match self {
            Operation::Chat => "chat/completions",
            Operation::Completions => "completions",
            Operation::Embeddings => "embeddings",
        }
    }

    /// The field of the answer with what was asked for.
    pub(super) fn list(self) -> &'static str {
        match self {
            Operation::Chat | Operation::Completions => "choices",
            Operation::Embeddings => "data",
        }
    }

    /// The field with what is asked.
    pub(super) fn field(self) -> &'static str {
        match self {
            Operation::Chat => "messages",
            Operation::Completions => "prompt",
            Operation::Embeddings => "input",
        }
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) operation: Operation,
    pub(super) body: Bytes,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) stream: bool,
    /// Tokens of its prompts.
    pub(super) input: f64,
    /// Most tokens of its answer.
    pub(super) limit: Option<f64>,
    /// Calls that begin alike have the same.
    pub(super) prefix: u64,
    /// It may safely be made twice.
    pub(super) idempotent: bool,
    pub(super) job: Arc<str>,
    pub(super) client: Option<usize>,
    pub(super) stage: Option<u32>,
    pub(super) lane: Lane,
    /// Records behind its items; empty if there are none.
    pub(super) records: Vec<u64>,
    pub(super) cache: CacheMode,
    /// Its client announces it when it gives a call up.
    pub(super) announces: bool,
    pub(super) arrived: Instant,
    pub(super) deadline: Instant,
    /// Whether the deadline is the client's.
    pub(super) has_deadline: bool,
    /// What a gateway further on is told.
    pub(super) onward: HeaderMap,
}

impl Order {
    /// Tokens it may use.
    pub(super) fn tokens(&self) -> f64 {
        self.input + self.limit.unwrap_or(UNNAMED_ANSWER)
    }

    /// As the turnstile sees it.
    pub(super) fn visitor(&self) -> Visitor<'_> {
        Visitor {
            job: &self.job,
            client: self.client,
            stage: self.stage,
            lane: self.lane,
            input: self.input,
            // An embedding has no answer tokens.
            limit: if self.operation == Operation::Embeddings { Some(0.0) } else { self.limit },
            kind: self.operation as u64,
        }
    }
}
