//! A try's presence at a server: where it went, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use sage_core::endpoint::ErrorClass;
use sage_core::limiter::{Overload, Sample};
use sage_core::retry::Disposition;

use super::super::attempt::Failed;
use super::super::peek::Usage;
use super::super::replica::{News, Replica};
use super::Target;

/// A try's presence at a server.
pub(in crate::gateway) struct Visit {
    pub(super) target: Arc<Target>,
    pub(in crate::gateway) at: usize,
    pub(super) cost: f64,
    /// Tries at the server when it began, itself included.
    pub(super) in_flight: u32,
    pub(super) begun: Instant,
    /// It is the one call that may find out whether the server works again.
    pub(super) trial: bool,
    /// The server's state knows what came of it.
    pub(super) reported: bool,
}

impl Visit {
    pub(in crate::gateway) fn replica(&self) -> &Replica {
        &self.target.replicas[self.at]
    }

    /// What the server has answered, in its first words.
    pub(in crate::gateway) fn learn(&self, headers: &HeaderMap) {
        self.replica().learn(headers, self.target.now_ns());
    }

    /// The server has begun to answer with success.
    pub(in crate::gateway) fn begins(&mut self) {
        self.reported = true;
        self.target.took(self.at);
        self.target.reached(self.at);
    }

    /// The call is answered, with success and whole.
    pub(in crate::gateway) fn succeeded(mut self, usage: Usage) {
        let latency_ns = self.begun.elapsed().as_nanos() as u64;
        let replica = self.replica();
        replica.answered(true);
        if let Some(hedger) = &mut self.target.lock().hedger {
            hedger.observe(latency_ns);
        }
        if replica.is_auto() {
            let sample = Sample {
                latency_ns,
                input_tokens: usage.prompt_tokens,
                output_tokens: usage.completion_tokens,
                in_flight: self.in_flight,
            };
            self.target.steer(self.at, News::Completed(sample));
        }
        self.begins();
    }

    /// The server has failed the call; `how`, in few words.
    pub(in crate::gateway) fn failed(mut self, failed: Failed, how: &str) {
        self.reported = true;
        let (target, at, now) = (&self.target, self.at, self.target.now_ns());
        let what = if failed.status.is_some() { "answer" } else { "failure" };
        target.replicas[at].remember(format!("the last {what} was: {}: {how}", failed.class), now);
        if failed.class == ErrorClass::Unreachable && failed.status.is_none() {
            target.unreachable(at);
            return;
        }
        let replica = &target.replicas[at];
        replica.answered(false);
        let retry_after_ns = failed.retry_after.map(|wait| wait.as_nanos() as u64);
        let shed = failed.disposition() == Disposition::Shed;
        if shed {
            replica.refused(retry_after_ns.unwrap_or(0), now);
            replica.overloaded(Overload::Throttled { retry_after_ns }, now);
        } else if failed.status.is_some() {
            target.took(at);
        }
        // A server that says when to come back works, and so does one that finds fault with a call.
        let works = match failed.class {
            ErrorClass::Server => shed && failed.retry_after.is_some(),
            ErrorClass::Timeout => false,
            // No answer at all, whatever its status said.
            ErrorClass::Protocol => failed.status.is_some(),
            _ => true,
        };
        if works {
            target.reached(at);
        } else {
            if !shed {
                replica.overloaded(Overload::Failed, now);
            }
            target.came_to_nothing(at, self.trial);
        }
        target.steer(at, News::Nothing);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.trial && !self.reported {
            self.replica().no_news(self.target.now_ns());
        }
        self.replica().end();
        self.target.lock().choice.finished(self.at, self.cost);
        if self.target.replicas.len() > 1 {
            self.target.news.notify_waiters();
        }
    }
}
