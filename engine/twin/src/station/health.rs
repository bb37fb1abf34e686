//! What is known of one server: whether it works, how much it is given; the gateway's `replica.rs`.
//!
//! A server of the twin can always be connected to, so there are no probes: what closes it is a run
//! of failures, or of refusals.

use rand::Rng;
use sage_core::limiter::{AutoLimiter, LimiterConfig, Overload, Sample, ServerLoad};
use sage_core::retry::{Breaker, Holdoff, Passage, Quiet, Trip, UpstreamState};

use super::settings::{
    LONGEST_QUIET_NS, PROBE_LEASE_NS, PROBE_NS, QUIET_AFTER, QUIET_LEASE_NS, RUN_OF_FAILURES,
    TRIAL_LEASE_NS, TRIAL_NS, TRIP_AFTER,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Health {
    breaker: Breaker,
    holdoff: Holdoff,
    limiter: Option<AutoLimiter>,
    in_flight: u32,
    failures_in_row: u32,
}

/// What a call may do about the server now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usable {
    Yes,
    /// It failed or refused all calls of late; this one may try it. Whoever is told so tries it, or
    /// says [`Health::no_news`].
    Trial,
    /// Its limit is reached.
    Full,
    /// It is down; ask again after so many nanoseconds.
    Down(u64),
    /// It asked to be left alone for so many nanoseconds.
    Held(u64),
}

/// What a limiter is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    Completed(Sample),
    Server(ServerLoad),
    Nothing,
}

impl Health {
    /// A server that works; `limiter` where its limit is to be found out.
    pub(super) fn new(limiter: Option<LimiterConfig>) -> Self {
        let trip = Trip {
            failures: TRIP_AFTER,
            base_ns: TRIAL_NS.0,
            cap_ns: TRIAL_NS.1,
            lease_ns: TRIAL_LEASE_NS,
        };
        Health {
            breaker: Breaker::new(PROBE_NS.0, PROBE_NS.1, PROBE_LEASE_NS).tripping(trip),
            holdoff: Holdoff::new(QUIET_AFTER, LONGEST_QUIET_NS, QUIET_LEASE_NS),
            limiter: limiter.map(AutoLimiter::new),
            in_flight: 0,
            failures_in_row: 0,
        }
    }

    /// What may be done about it; `limit` bounds the tries at it where it has no limiter.
    pub(super) fn usable(&mut self, limit: u32, now_ns: u64) -> Usable {
        let quiet = self.holdoff.pass(now_ns);
        if let Quiet::Wait(ns) = quiet {
            return Usable::Held(ns);
        }
        match self.breaker.pass(now_ns) {
            Passage::Wait(ns) => {
                self.holdoff.no_news();
                return Usable::Down(ns);
            }
            Passage::Trial | Passage::Probe => return Usable::Trial,
            Passage::Open if quiet == Quiet::Trial => return Usable::Trial,
            Passage::Open => {}
        }
        if self.in_flight >= self.limit().unwrap_or(limit) { Usable::Full } else { Usable::Yes }
    }

    /// A trial ended without news.
    pub(super) fn no_news(&mut self, now_ns: u64) {
        self.breaker.no_news(now_ns);
        self.holdoff.no_news();
    }

    /// How long it asks to be left alone.
    pub(super) fn held_ns(&self, now_ns: u64) -> u64 {
        self.holdoff.wait(now_ns).unwrap_or(0)
    }

    /// It refused a call and asks to be left alone for so long.
    pub(super) fn refused(&mut self, ns: u64, now_ns: u64) {
        self.holdoff.refused(ns, now_ns);
    }

    /// It took a call, or found fault with it. True if others wait to hear that.
    pub(super) fn took(&mut self) -> bool {
        self.holdoff.answered()
    }

    /// It has answered something. True if it was down until now.
    pub(super) fn reached(&mut self) -> bool {
        self.breaker.reached()
    }

    /// A try was answered with success.
    pub(super) fn succeeded(&mut self) {
        self.failures_in_row = 0;
    }

    /// A try goes out; how many are out, itself included.
    pub(super) fn begin(&mut self) -> u32 {
        self.in_flight += 1;
        self.in_flight
    }

    /// A try is over.
    pub(super) fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// It does not cope with what it gets.
    pub(super) fn overloaded(&mut self, what: Overload, now_ns: u64) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let enough = what != Overload::Failed || self.failures_in_row >= RUN_OF_FAILURES;
        if let Some(limiter) = &mut self.limiter
            && enough
        {
            limiter.overloaded(what, now_ns);
        }
    }

    /// A try came to nothing. True if it is left alone from now on.
    pub(super) fn came_to_nothing(&mut self, trial: bool, now_ns: u64, rng: &mut impl Rng) -> bool {
        let was_up = !self.is_down();
        self.breaker.failed(trial, now_ns, rng);
        was_up && self.is_down()
    }

    pub(super) fn is_down(&self) -> bool {
        self.breaker.down_since_ns().is_some()
    }

    /// Whether calls to it fail, as far as is known.
    pub(super) fn is_failing(&self) -> bool {
        self.breaker.state() == UpstreamState::Failing
    }

    /// Whether its limit is found out.
    pub(super) fn is_auto(&self) -> bool {
        self.limiter.is_some()
    }

    /// Its own limit, if it has one.
    pub(super) fn limit(&self) -> Option<u32> {
        self.limiter.as_ref().map(AutoLimiter::limit)
    }

    /// Tries out, failures in a row, and what steers the limit: for tests.
    #[cfg(test)]
    pub(super) fn inside(&self) -> (u32, u32, Option<sage_core::limiter::Source>) {
        (self.in_flight, self.failures_in_row, self.limiter.as_ref().map(AutoLimiter::source))
    }

    /// Tell the limiter what has happened, and let it steer. True if the limit changed.
    pub(super) fn steer(&mut self, news: News, waiting: u32, now_ns: u64) -> bool {
        let in_flight = self.in_flight;
        let Some(limiter) = &mut self.limiter else { return false };
        let before = limiter.limit();
        match news {
            News::Completed(sample) => limiter.completed(sample, now_ns),
            News::Server(load) => limiter.server(load, now_ns),
            News::Nothing => {}
        }
        limiter.tick(in_flight, waiting, now_ns) != before
    }
}
