//! One server of an endpoint: how to call it, and what is known of its health.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use rand::Rng;
use reqwest::{Client, Url};
use sage_core::limiter::{AutoLimiter, LimiterConfig, Overload, Sample, ServerLoad};
use sage_core::retry::{Breaker, Holdoff, Passage, Quiet, Trip, UpstreamState};

use super::GatewayError;
use super::config::{Concurrency, Upstream};
use super::order::{DEFAULT_DEADLINE, Operation};
use super::stats::ReplicaStats;
use super::{header, transport};

/// Probes of a server that is down: at first so far apart, at most so far.
const PROBE_BASE: Duration = Duration::from_millis(50);
const PROBE_CAP: Duration = Duration::from_millis(500);
/// Calls that fail one after the other until a server is left alone, but for one at a time that
/// tries it: at first so far apart, at most so far.
const TRIP_AFTER: u32 = 10;
const TRIAL_BASE: Duration = Duration::from_millis(250);
const TRIAL_CAP: Duration = Duration::from_secs(5);
/// Refusals in a row until a server is left alone by all calls, for as long as it asks for but no
/// longer than this, and how long one call that tries it then may say nothing.
const QUIET_AFTER: u32 = 3;
const LONGEST_QUIET: Duration = Duration::from_secs(60);
const QUIET_LEASE: Duration = Duration::from_secs(2);
/// Failures in a row that say that a server cannot keep up.
const RUN_OF_FAILURES: u32 = 3;
/// The limit that `auto` begins with.
const INITIAL_LIMIT: u32 = 32;
/// Kept alive at least, for a limit that is raised later.
const IDLE_CONNECTIONS: usize = 256;
/// What a server is (simulated or not) is believed for so long without an answer that says so.
const KIND_HOLDS: Duration = Duration::from_secs(30);

const UNKNOWN: u8 = 0;
const LIVE: u8 = 1;
const SIMULATED: u8 = 2;

/// See the module.
pub(super) struct Replica {
    /// For messages.
    pub(super) url: String,
    pub(super) client: Client,
    chat: Url,
    completions: Url,
    embeddings: Url,
    pub(super) models: Url,
    pub(super) metrics: Url,
    /// Sent with every request.
    pub(super) headers: HeaderMap,
    /// It is a gateway of ours, which owns its retries itself.
    pub(super) gateway: AtomicBool,
    kind: AtomicU8,
    kind_ns: AtomicU64,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    holdoff: Holdoff,
    limiter: Option<AutoLimiter>,
    in_flight: u32,
    failures_in_row: u32,
    attempts: u64,
    failures: u64,
    /// When and how it failed last.
    last: Option<(u64, String)>,
}

/// What a call may do about one server now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usable {
    Yes,
    /// It failed or refused all calls of late; this one may try it. Whoever is told so tries it, or says
    /// [`Replica::no_news`].
    Trial,
    /// Its limit is reached.
    Full,
    /// Somebody has to ask whether it is back.
    Probe,
    /// Ask again after so many nanoseconds; it is down.
    Down(u64),
    /// It asked to be left alone for so many nanoseconds.
    Held(u64),
}

impl Replica {
    /// The server at `upstream.url`.
    pub(super) fn new(upstream: &Upstream) -> Result<Replica, GatewayError> {
        let base = transport::base_url(upstream)?;
        let most = match upstream.concurrency {
            Concurrency::Fixed(limit) => limit,
            Concurrency::Auto { max, .. } => max,
        };
        let ns = |duration: Duration| duration.as_nanos() as u64;
        let lease = transport::CONNECT_TIMEOUT + Duration::from_secs(1);
        let trip = Trip {
            failures: TRIP_AFTER,
            base_ns: ns(TRIAL_BASE),
            cap_ns: ns(TRIAL_CAP),
            lease_ns: ns(DEFAULT_DEADLINE),
        };
        let limiter = match upstream.concurrency {
            Concurrency::Fixed(_) => None,
            Concurrency::Auto { max, latency_target } => Some(AutoLimiter::new(LimiterConfig {
                min: 1,
                initial: INITIAL_LIMIT.min(max.max(1)),
                max: max.max(1),
                latency_target_ns: latency_target.map(ns),
            })),
        };
        Ok(Replica {
            url: transport::without_credentials(&upstream.url),
            client: transport::client(upstream, &base, IDLE_CONNECTIONS.max(most as usize))?,
            chat: transport::join(&base, Operation::Chat.path()),
            completions: transport::join(&base, Operation::Completions.path()),
            embeddings: transport::join(&base, Operation::Embeddings.path()),
            models: transport::join(&base, "models"),
            metrics: transport::metrics(&base),
            headers: transport::authorization(upstream)?,
            gateway: AtomicBool::new(false),
            kind: AtomicU8::new(UNKNOWN),
            kind_ns: AtomicU64::new(0),
            state: Mutex::new(State {
                breaker: Breaker::new(ns(PROBE_BASE), ns(PROBE_CAP), ns(lease)).tripping(trip),
                holdoff: Holdoff::new(QUIET_AFTER, ns(LONGEST_QUIET), ns(QUIET_LEASE)),
                limiter,
                in_flight: 0,
                failures_in_row: 0,
                attempts: 0,
                failures: 0,
                last: None,
            }),
        })
    }

    pub(super) fn endpoint(&self, operation: Operation) -> &Url {
        match operation {
            Operation::Chat => &self.chat,
            Operation::Completions => &self.completions,
            Operation::Embeddings => &self.embeddings,
        }
    }

    /// What may be done about it; `limit` bounds the calls at it where it has no limiter.
    pub(super) fn usable(&self, limit: u32, now_ns: u64) -> Usable {
        let mut state = self.lock();
        let quiet = state.holdoff.pass(now_ns);
        if let Quiet::Wait(ns) = quiet {
            return Usable::Held(ns);
        }
        let passage = state.breaker.pass(now_ns);
        if matches!(passage, Passage::Probe | Passage::Wait(_)) {
            state.holdoff.no_news();
        }
        match passage {
            Passage::Probe => return Usable::Probe,
            Passage::Wait(ns) => return Usable::Down(ns),
            Passage::Trial => return Usable::Trial,
            Passage::Open if quiet == Quiet::Trial => return Usable::Trial,
            Passage::Open => {}
        }
        if state.in_flight >= state.limiter.as_ref().map_or(limit, AutoLimiter::limit) {
            return Usable::Full;
        }
        Usable::Yes
    }

    /// A trial ended without news.
    pub(super) fn no_news(&self, now_ns: u64) {
        let mut state = self.lock();
        state.breaker.no_news(now_ns);
        state.holdoff.no_news();
    }

    /// How long it asks to be left alone.
    pub(super) fn held_ns(&self, now_ns: u64) -> u64 {
        self.lock().holdoff.wait(now_ns).unwrap_or(0)
    }

    /// It refused a call and asks to be left alone for so long.
    pub(super) fn refused(&self, ns: u64, now_ns: u64) {
        self.lock().holdoff.refused(ns, now_ns);
    }

    /// It took a call, or found fault with it. True if others wait to hear that.
    pub(super) fn took(&self) -> bool {
        self.lock().holdoff.answered()
    }

    /// A try sets out for it.
    pub(super) fn tried(&self) {
        self.lock().attempts += 1;
    }

    /// The try made no connection.
    pub(super) fn untried(&self) {
        let mut state = self.lock();
        state.attempts = state.attempts.saturating_sub(1);
    }

    /// How a try failed.
    pub(super) fn remember(&self, how: String, now_ns: u64) {
        self.lock().last = Some((now_ns, how));
    }

    /// When and how a try failed last, and what is known of it now.
    pub(super) fn condition(&self) -> (UpstreamState, Option<(u64, String)>) {
        let state = self.lock();
        (state.breaker.state(), state.last.clone())
    }

    /// A try goes out; how many are out, itself included.
    pub(super) fn begin(&self) -> u32 {
        let mut state = self.lock();
        state.in_flight += 1;
        state.in_flight
    }

    /// A try is over.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
    }

    /// It has answered something. True if it was down until now.
    pub(super) fn reached(&self) -> bool {
        self.lock().breaker.reached()
    }

    /// A try that reached it is over, with success or not.
    pub(super) fn answered(&self, success: bool) {
        let mut state = self.lock();
        if success {
            state.failures_in_row = 0;
        } else {
            state.failures += 1;
        }
    }

    /// It does not cope with what it gets.
    pub(super) fn overloaded(&self, what: Overload, now_ns: u64) {
        let mut state = self.lock();
        state.failures_in_row += 1;
        let enough = what != Overload::Failed || state.failures_in_row >= RUN_OF_FAILURES;
        if let Some(limiter) = &mut state.limiter
            && enough
        {
            limiter.overloaded(what, now_ns);
        }
    }

    /// A try came to nothing, although a connection was made. True if it is left alone from now on.
    pub(super) fn came_to_nothing(&self, trial: bool, now_ns: u64, rng: &mut impl Rng) -> bool {
        let mut state = self.lock();
        let was_up = state.breaker.down_since_ns().is_none();
        state.breaker.failed(trial, now_ns, rng);
        was_up && state.breaker.down_since_ns().is_some()
    }

    /// No connection could be made. True if it was not known to be down.
    pub(super) fn unreachable(&self, now_ns: u64, rng: &mut impl Rng) -> bool {
        let mut state = self.lock();
        let was_up = state.breaker.down_since_ns().is_none();
        state.breaker.unreachable(now_ns, rng);
        self.kind.store(UNKNOWN, Ordering::Relaxed);
        was_up
    }

    pub(super) fn is_down(&self) -> bool {
        self.lock().breaker.down_since_ns().is_some()
    }

    /// Whether its limit is found out.
    pub(super) fn is_auto(&self) -> bool {
        self.lock().limiter.is_some()
    }

    /// Its own limit, if it has one.
    pub(super) fn limit(&self) -> Option<u32> {
        self.lock().limiter.as_ref().map(AutoLimiter::limit)
    }

    /// Its limit is no longer found out.
    pub(super) fn fix(&self) {
        self.lock().limiter = None;
    }

    /// Tell the limiter what has happened, and let it steer. True if the limit changed.
    pub(super) fn steer(&self, news: News, waiting: u32, now_ns: u64) -> bool {
        let mut state = self.lock();
        let in_flight = state.in_flight;
        let Some(limiter) = &mut state.limiter else { return false };
        let before = limiter.limit();
        match news {
            News::Completed(sample) => limiter.completed(sample, now_ns),
            News::Server(load) => limiter.server(load, now_ns),
            News::Nothing => {}
        }
        limiter.tick(in_flight, waiting, now_ns) != before
    }

    /// What an answer's headers say of the server.
    pub(super) fn learn(&self, headers: &HeaderMap, now_ns: u64) {
        if headers.contains_key(header::GATEWAY) {
            self.gateway.store(true, Ordering::Relaxed);
        }
        let kind = if headers.contains_key(header::ENDPOINT) { SIMULATED } else { LIVE };
        self.kind.store(kind, Ordering::Relaxed);
        self.kind_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Whether it simulates, if that is known.
    pub(super) fn simulates(&self, now_ns: u64) -> Option<bool> {
        let at = self.kind_ns.load(Ordering::Relaxed);
        let fresh = now_ns.saturating_sub(at) < KIND_HOLDS.as_nanos() as u64;
        match self.kind.load(Ordering::Relaxed) {
            SIMULATED if fresh => Some(true),
            LIVE if fresh => Some(false),
            _ => None,
        }
    }

    pub(super) fn stats(&self, limit: u32, outstanding_tokens: f64, now_ns: u64) -> ReplicaStats {
        let state = self.lock();
        let limiter = state.limiter.as_ref();
        ReplicaStats {
            url: self.url.clone(),
            limit: limiter.map_or(limit, AutoLimiter::limit),
            limit_reason: limiter.map_or("fixed", |limiter| limiter.reason().as_str()).to_owned(),
            in_flight: state.in_flight,
            down: state.breaker.down_since_ns().is_some(),
            held: state.holdoff.wait(now_ns).is_some(),
            outstanding_tokens,
            attempts: state.attempts,
            failures: state.failures,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a limiter is told.
pub(super) enum News {
    Completed(Sample),
    Server(ServerLoad),
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_has_an_end_and_one_call_tries_what_comes_then() {
        const SECOND: u64 = 1_000_000_000;
        let replica = Replica::new(&Upstream::new("e", "http://h", "m")).unwrap();
        for _ in 0..2 {
            replica.refused(600 * SECOND, 0);
            assert_eq!(replica.usable(8, 0), Usable::Yes);
        }
        replica.refused(600 * SECOND, 0);
        assert_eq!(replica.usable(8, 0), Usable::Held(60 * SECOND));
        assert_eq!(replica.usable(8, 60 * SECOND), Usable::Trial);
        assert!(matches!(replica.usable(8, 60 * SECOND), Usable::Held(_)));
        replica.no_news(60 * SECOND);
        assert_eq!(replica.usable(8, 60 * SECOND), Usable::Trial);
        replica.refused(SECOND, 60 * SECOND);
        assert_eq!(replica.usable(8, 60 * SECOND), Usable::Held(SECOND));
        assert_eq!(replica.usable(8, 61 * SECOND), Usable::Yes);
        assert!(!replica.took());
    }
}
