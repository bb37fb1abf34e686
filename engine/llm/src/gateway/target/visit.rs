//! A try's presence at a server: where it went, and what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use sage_core::endpoint::ErrorClass;
use sage_core::limiter::Sample;
use sage_core::upstream::{Failed, Health, News};

use super::super::peek::Usage;
use super::super::replica::Replica;
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
        self.target.pass_on(self.replica().health(Health::answers));
    }

    /// The call is answered, with success and whole.
    pub(in crate::gateway) fn succeeded(mut self, usage: Usage) {
        let latency_ns = self.begun.elapsed().as_nanos() as u64;
        let replica = self.replica();
        replica.health(Health::succeeded);
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
        let (target, at, trial, now) = (&self.target, self.at, self.trial, self.target.now_ns());
        let replica = self.replica();
        let what = if failed.status.is_some() { "answer" } else { "failure" };
        replica.remember(format!("the last {what} was: {}: {how}", failed.class), now);
        if failed.is_unsent() {
            target.unreachable(at);
            return;
        }
        replica.count_failure();
        let effect = {
            let mut shared = target.lock();
            replica.health(|health| health.failed(failed, trial, now, &mut shared.rng))
        };
        target.pass_on(effect);
        target.steer(at, News::Nothing);
    }

    /// The time of the call has ended, `after` so long at the server. Whether that says something of
    /// the server is for its health to judge; if not, the visit ends without news.
    pub(in crate::gateway) fn timed_out(mut self, after: Duration) {
        let (target, at, trial, now) = (&self.target, self.at, self.trial, self.target.now_ns());
        let replica = self.replica();
        let silence = (after.as_nanos() as u64, target.turnstile.usual());
        let effect = {
            let mut shared = target.lock();
            replica.health(|health| health.timed_out(silence, trial, now, &mut shared.rng))
        };
        let Some(effect) = effect else { return };
        replica.count_failure();
        let (class, seconds) = (ErrorClass::Timeout, after.as_secs_f64());
        let how = format!("the last failure was: {class}: no answer within {seconds:.1} s");
        replica.remember(how, now);
        target.pass_on(effect);
        target.steer(at, News::Nothing);
        self.reported = true;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.trial && !self.reported {
            let now = self.target.now_ns();
            self.replica().health(|health| health.no_news(now));
        }
        self.replica().health(Health::end);
        self.target.lock().choice.finished(self.at, self.cost);
        if self.target.replicas.len() > 1 {
            self.target.news.notify_waiters();
        }
    }
}
