//! One server of an endpoint: how to call it, and behind a lock what is known of its health.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use reqwest::{Client, Url};
use sage_core::secrets::Mask;
use sage_core::upstream::{Health, Servers, settings};

use super::GatewayError;
use super::config::{Concurrency, Upstream};
use super::order::Operation;
use super::stats::ReplicaStats;
use super::{header, transport};

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
    /// Its key and its password are not shown.
    pub(super) mask: Mask,
    /// Sent with every request.
    pub(super) headers: HeaderMap,
    /// It is a gateway of ours, which owns its retries itself.
    pub(super) gateway: AtomicBool,
    kind: AtomicU8,
    kind_ns: AtomicU64,
    state: Mutex<State>,
}

struct State {
    health: Health,
    attempts: u64,
    failures: u64,
    /// When and how it failed last.
    last: Option<(u64, String)>,
}

impl Replica {
    /// The server at `upstream.url`.
    pub(super) fn new(upstream: &Upstream) -> Result<Replica, GatewayError> {
        let base = transport::base_url(upstream)?;
        let most = match upstream.concurrency {
            Concurrency::Fixed(limit) => limit,
            Concurrency::Auto { max, .. } => max,
        };
        let limiter = match upstream.concurrency {
            Concurrency::Fixed(_) => None,
            Concurrency::Auto { max, latency_target } => {
                let target_ns = latency_target.map(|target| target.as_nanos() as u64);
                Some(settings::limiter(max, target_ns))
            }
        };
        Ok(Replica {
            url: transport::without_credentials(&upstream.url),
            client: transport::client(upstream, &base, IDLE_CONNECTIONS.max(most as usize))?,
            chat: transport::join(&base, Operation::Chat.path()),
            completions: transport::join(&base, Operation::Completions.path()),
            embeddings: transport::join(&base, Operation::Embeddings.path()),
            models: transport::join(&base, "models"),
            metrics: transport::metrics(&base),
            mask: transport::mask(upstream),
            headers: transport::authorization(upstream)?,
            gateway: AtomicBool::new(false),
            kind: AtomicU8::new(UNKNOWN),
            kind_ns: AtomicU64::new(0),
            state: Mutex::new(State {
                health: Health::new(limiter),
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

    /// Look at what is known of its health, or change it.
    pub(super) fn health<R>(&self, look: impl FnOnce(&mut Health) -> R) -> R {
        look(&mut self.lock().health)
    }

    pub(super) fn is_down(&self) -> bool {
        self.health(|health| health.is_down())
    }

    /// Whether its limit is found out.
    pub(super) fn is_auto(&self) -> bool {
        self.health(|health| health.is_auto())
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

    /// A try that reached it has failed.
    pub(super) fn count_failure(&self) {
        self.lock().failures += 1;
    }

    /// How a try failed.
    pub(super) fn remember(&self, how: String, now_ns: u64) {
        self.lock().last = Some((now_ns, how));
    }

    /// When and how a try failed last.
    pub(super) fn last_failure(&self) -> Option<(u64, String)> {
        self.lock().last.clone()
    }

    /// Another server may answer at its address by the time that it is back.
    pub(super) fn forget_kind(&self) {
        self.kind.store(UNKNOWN, Ordering::Relaxed);
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
        let health = &state.health;
        ReplicaStats {
            url: self.url.clone(),
            limit: health.limit().unwrap_or(limit),
            limit_reason: health.limit_reason().to_owned(),
            in_flight: health.in_flight(),
            down: health.is_down(),
            held: health.held_ns(now_ns) > 0,
            outstanding_tokens,
            attempts: state.attempts,
            failures: state.failures,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All servers of an endpoint, each looked at under its own lock.
pub(super) struct All<'a>(pub(super) &'a [Replica]);

impl Servers for All<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn with<R>(&mut self, at: usize, look: impl FnOnce(&mut Health) -> R) -> R {
        self.0[at].health(look)
    }
}
