//! What is known of one server: whether it works, and how much it is given.
//!
//! One object, because one outcome concerns all of it: a refusal holds calls back, halves the limit,
//! and says that somebody is there. The rule for that is here, once.

use rand::Rng;

use crate::limiter::{AutoLimiter, LimiterConfig, Overload, Sample, ServerLoad, Source};
use crate::retry::{Breaker, Holdoff, Passage, Quiet, UpstreamState};

use super::settings::{
    LONGEST_QUIET_NS, PROBE_LEASE_NS, PROBE_NS, QUIET_AFTER, QUIET_LEASE_NS, RUN_OF_FAILURES, TRIP,
};
use super::{Failed, Usable, UsualTime};

/// See the module.
///
/// Tries are counted from [`begin`](Self::begin) to [`end`](Self::end). In between a try's outcome is
/// reported once, with [`answers`](Self::answers), [`failed`](Self::failed) or
/// [`timed_out`](Self::timed_out); a [trial](Usable::Trial) that ends without says
/// [`no_news`](Self::no_news).
#[derive(Debug, Clone)]
pub struct Health {
    breaker: Breaker,
    holdoff: Holdoff,
    limiter: Option<AutoLimiter>,
    /// The limit that the line was told last.
    told: Option<u32>,
    in_flight: u32,
    failures_in_row: u32,
}

/// What a limiter is told.
#[derive(Debug, Clone, Copy)]
pub enum News {
    /// A try was answered.
    Completed(Sample),
    /// The server's metrics were read.
    Server(ServerLoad),
    /// Time has passed.
    Nothing,
}

/// What a report changed, for others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "the line and the calls that wait for a server have to hear of it"]
pub struct Effect {
    /// It went down or is back: the line's limit is another one.
    pub adjust: bool,
    /// Calls that found no server may look again.
    pub news: bool,
}

impl Health {
    /// A server that works; `limiter` where its limit is to be found out.
    pub fn new(limiter: Option<LimiterConfig>) -> Self {
        Health {
            breaker: Breaker::new(PROBE_NS.0, PROBE_NS.1, PROBE_LEASE_NS).tripping(TRIP),
            holdoff: Holdoff::new(QUIET_AFTER, LONGEST_QUIET_NS, QUIET_LEASE_NS),
            limiter: limiter.map(AutoLimiter::new),
            told: None,
            in_flight: 0,
            failures_in_row: 0,
        }
    }

    /// What a call may do about it; `limit` bounds the tries at it where it has no limiter.
    pub fn usable(&mut self, limit: u32, now_ns: u64) -> Usable {
        let quiet = self.holdoff.pass(now_ns);
        if let Quiet::Wait(ns) = quiet {
            return Usable::Held(ns);
        }
        let passage = self.breaker.pass(now_ns);
        if matches!(passage, Passage::Probe | Passage::Wait(_)) {
            self.holdoff.no_news();
        }
        match passage {
            Passage::Probe => Usable::Probe,
            Passage::Wait(ns) => Usable::Down(ns),
            Passage::Trial => Usable::Trial,
            Passage::Open if quiet == Quiet::Trial => Usable::Trial,
            Passage::Open if self.in_flight >= self.limit().unwrap_or(limit) => Usable::Full,
            Passage::Open => Usable::Yes,
        }
    }

    /// A trial ended without news.
    pub fn no_news(&mut self, now_ns: u64) {
        self.breaker.no_news(now_ns);
        self.holdoff.no_news();
    }

    /// A try goes out; how many are out, itself included.
    pub fn begin(&mut self) -> u32 {
        self.in_flight += 1;
        self.in_flight
    }

    /// A try is over.
    pub fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Somebody is there: a probe had an answer.
    pub fn reached(&mut self) -> Effect {
        let back = self.breaker.reached();
        Effect { adjust: back, news: back }
    }

    /// A try is being answered with success.
    pub fn answers(&mut self) -> Effect {
        let tried = self.holdoff.answered();
        let Effect { adjust, news } = self.reached();
        Effect { adjust, news: news || tried }
    }

    /// An answer with success is whole.
    pub fn succeeded(&mut self) {
        self.failures_in_row = 0;
    }

    /// No connection could be made, by a try or a probe.
    pub fn unreachable(&mut self, now_ns: u64, rng: &mut impl Rng) -> Effect {
        let was_up = !self.is_down();
        self.breaker.unreachable(now_ns, rng);
        Effect { adjust: was_up, news: true }
    }

    /// The server failed a try; `trial` is whether that went out as one. [`steer`](Self::steer)
    /// afterwards: the limit may be another.
    pub fn failed(
        &mut self,
        failed: Failed,
        trial: bool,
        now_ns: u64,
        rng: &mut impl Rng,
    ) -> Effect {
        if failed.is_unsent() {
            return self.unreachable(now_ns, rng);
        }
        let shed = failed.is_shed();
        let mut tried = false;
        if shed {
            let retry_after_ns = failed.retry_after_ns;
            self.holdoff.refused(retry_after_ns.unwrap_or(0), now_ns);
            self.overloaded(Overload::Throttled { retry_after_ns }, now_ns);
        } else if failed.status.is_some() {
            tried = self.holdoff.answered();
        }
        if failed.shows_life() {
            let Effect { adjust, news } = self.reached();
            return Effect { adjust, news: news || tried };
        }
        if !shed {
            self.overloaded(Overload::Failed, now_ns);
        }
        self.came_to_nothing(trial, now_ns, rng)
    }

    /// A call's time has ended, `after_ns` after it was sent. `None`: that was too short to say
    /// anything of the server, and a trial is one without news. Else [`steer`](Self::steer)
    /// afterwards, as for [`failed`](Self::failed).
    pub fn timed_out(
        &mut self,
        (after_ns, usual): (u64, UsualTime),
        trial: bool,
        now_ns: u64,
        rng: &mut impl Rng,
    ) -> Option<Effect> {
        if !usual.is_long(after_ns) {
            return None;
        }
        self.overloaded(Overload::Failed, now_ns);
        Some(self.came_to_nothing(trial, now_ns, rng))
    }

    /// Tell the limiter what has happened, and let it steer. `waiting` calls wait in the line.
    ///
    /// True if the line does not know the limit as it is now, whatever has changed it; it does from
    /// the next [`tell`](Self::tell) on.
    #[must_use = "the line has to be told of another limit"]
    pub fn steer(&mut self, news: News, waiting: u32, now_ns: u64) -> bool {
        let Some(limiter) = &mut self.limiter else { return false };
        match news {
            News::Completed(sample) => limiter.completed(sample, now_ns),
            News::Server(load) => limiter.server(load, now_ns),
            News::Nothing => {}
        }
        Some(limiter.tick(self.in_flight, waiting, now_ns)) != self.told
    }

    /// Its own limit, if it has one, for the line.
    pub fn tell(&mut self) -> Option<u32> {
        self.told = self.limit();
        self.told
    }

    /// Its limit is no longer found out.
    pub fn fix(&mut self) {
        self.limiter = None;
    }

    /// Its own limit, if it has one.
    pub fn limit(&self) -> Option<u32> {
        self.limiter.as_ref().map(AutoLimiter::limit)
    }

    /// What steers its limit, if that is found out.
    pub fn source(&self) -> Option<Source> {
        self.limiter.as_ref().map(AutoLimiter::source)
    }

    /// Why its limit is what it is, in a word.
    pub fn limit_reason(&self) -> &'static str {
        self.limiter.as_ref().map_or("fixed", |limiter| limiter.reason().as_str())
    }

    /// Whether its limit is found out.
    pub fn is_auto(&self) -> bool {
        self.limiter.is_some()
    }

    /// Tries that are out.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Failures since the last success.
    pub fn failures_in_row(&self) -> u32 {
        self.failures_in_row
    }

    /// How long it asks to be left alone, nanoseconds; 0 is not at all.
    pub fn held_ns(&self, now_ns: u64) -> u64 {
        self.holdoff.wait(now_ns).unwrap_or(0)
    }

    /// Whether it works, as far as is known.
    pub fn state(&self) -> UpstreamState {
        self.breaker.state()
    }

    /// Whether calls are held back because it does not work.
    pub fn is_down(&self) -> bool {
        self.breaker.down_since_ns().is_some()
    }

    /// It does not cope with what it gets.
    fn overloaded(&mut self, what: Overload, now_ns: u64) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let enough = what != Overload::Failed || self.failures_in_row >= RUN_OF_FAILURES;
        if let Some(limiter) = &mut self.limiter
            && enough
        {
            limiter.overloaded(what, now_ns);
        }
    }

    /// A try came to nothing, although a connection was made.
    fn came_to_nothing(&mut self, trial: bool, now_ns: u64, rng: &mut impl Rng) -> Effect {
        let was_up = !self.is_down();
        self.breaker.failed(trial, now_ns, rng);
        Effect { adjust: was_up && self.is_down(), news: true }
    }
}
