//! One endpoint while the gateway runs: its line, its servers, and the choice among them.

mod choice;
mod visit;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_pcg::Pcg32;
use sage_core::endpoint::ErrorClass;
use sage_core::fair::Share;
use sage_core::hedge::Hedger;
use sage_core::replica::Replicas;
use sage_core::retry::{RetryBudget, RetryPolicy};
use sage_core::upstream::settings::{MAX_SERVERS, retry_burst};
use sage_core::upstream::{
    Effect, Health, News, Repeat, Shunned, Tries, joint_limit, limit_of_one, shortest_hold_ns,
};
use tokio::sync::Notify;

use super::GatewayError;
use super::attempt::Failed;
use super::config::{Concurrency, JobShares, Upstream};
use super::header;
use super::rates::Rates;
use super::replica::{All, Replica};
use super::stats::EndpointStats;
use super::transport;
use super::turnstile::Turnstile;

pub(in crate::gateway) use choice::Closed;
pub(in crate::gateway) use visit::Visit;

/// See the module.
pub(in crate::gateway) struct Target {
    pub(in crate::gateway) name: String,
    pub(in crate::gateway) model: String,
    /// What its answers are, if that was configured.
    pub(in crate::gateway) kind: Option<String>,
    /// Calls that begin alike go to the same server.
    pub(in crate::gateway) affinity: bool,
    pub(in crate::gateway) replicas: Vec<Replica>,
    pub(in crate::gateway) turnstile: Arc<Turnstile>,
    pub(in crate::gateway) retry: RetryPolicy,
    pub(in crate::gateway) rates: Rates,
    /// The limit over all servers; 0 when each finds its own.
    fixed: AtomicU32,
    shared: Mutex<Shared>,
    /// Held by whoever tells the line its limit, so that the last to tell has looked last.
    adjusting: Mutex<()>,
    /// A server is back, or has a free place.
    news: Notify,
    pub(in crate::gateway) not_kept: AtomicU64,
    started: Instant,
}

struct Shared {
    choice: Replicas,
    budget: RetryBudget,
    hedger: Option<Hedger>,
    rng: Pcg32,
}

impl Target {
    pub(in crate::gateway) fn new(
        upstream: Upstream,
        clients: &[Share],
        jobs: &JobShares,
    ) -> Result<Target, GatewayError> {
        let servers = upstream.servers();
        if servers.len() > MAX_SERVERS {
            return Err(GatewayError::Config(format!(
                "endpoint `{}` has {} servers; at most {MAX_SERVERS} are possible",
                upstream.name,
                servers.len()
            )));
        }
        let replicas = servers.iter().map(Replica::new).collect::<Result<Vec<_>, _>>()?;
        let (fixed, burst) = match upstream.concurrency {
            Concurrency::Fixed(limit) => (limit.max(1), retry_burst(Some(limit), limit)),
            Concurrency::Auto { max, .. } => (0, retry_burst(None, max)),
        };
        // Random, not seeded: gateways must differ, and nothing that is reproduced depends on it.
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &upstream.name);
        let line = Turnstile::new(fixed, &upstream, clients, jobs.clone());
        let target = Target {
            rates: Rates::new(&upstream)?,
            turnstile: Arc::new(line),
            fixed: AtomicU32::new(fixed),
            shared: Mutex::new(Shared {
                choice: Replicas::new(replicas.len(), upstream.affinity),
                budget: RetryBudget::of_share(upstream.retry_budget, burst),
                hedger: upstream.hedge.map(|rule| Hedger::new(rule.quantile, rule.budget)),
                rng: Pcg32::seed_from_u64(seed),
            }),
            adjusting: Mutex::new(()),
            news: Notify::new(),
            not_kept: AtomicU64::new(0),
            started: Instant::now(),
            retry: upstream.retry,
            name: upstream.name,
            model: upstream.model,
            kind: upstream.kind,
            // With one server there is nothing to choose, so no beginning needs to be known.
            affinity: upstream.affinity && replicas.len() > 1,
            replicas,
        };
        target.adjust();
        Ok(target)
    }

    pub(in crate::gateway) async fn probe(&self, at: usize) {
        let replica = &self.replicas[at];
        let request = replica.client.get(replica.models.clone()).headers(replica.headers.clone());
        match request.timeout(transport::CONNECT_TIMEOUT).send().await {
            Err(error) if error.is_connect() => {
                let class = ErrorClass::Unreachable;
                let how = format!("the last failure was: {class}: {}", transport::describe(error));
                replica.remember(how, self.now_ns());
                self.unreachable(at);
            }
            Err(_) => self.reached(at),
            Ok(answer) => {
                replica.learn(answer.headers(), self.now_ns());
                self.reached(at);
            }
        }
    }

    /// A server has answered something.
    pub(in crate::gateway) fn reached(&self, at: usize) {
        self.pass_on(self.replicas[at].health(Health::reached));
    }

    /// No connection to a server could be made.
    pub(in crate::gateway) fn unreachable(&self, at: usize) {
        let (replica, now) = (&self.replicas[at], self.now_ns());
        replica.forget_kind();
        let effect = {
            let mut shared = self.lock();
            replica.health(|health| health.unreachable(now, &mut shared.rng))
        };
        self.pass_on(effect);
    }

    /// Tell everyone whom it concerns.
    fn pass_on(&self, effect: Effect) {
        if effect.adjust {
            self.adjust();
        }
        if effect.news {
            self.news.notify_waiters();
        }
    }

    /// A call's first try goes out.
    pub(in crate::gateway) fn first_try(&self) {
        self.lock().budget.on_call();
    }

    /// How long to wait before the next try after `tries`, the last of which server `at` failed;
    /// `None` is to give up.
    pub(in crate::gateway) fn backoff(
        &self,
        at: usize,
        tries: Tries,
        failed: Failed,
        shunned: &Shunned,
        left: Duration,
    ) -> Option<Duration> {
        // A gateway further on has made the tries there were to make.
        if failed.by_gateway && !(failed.what.is_shed() && failed.untried) {
            return None;
        }
        let (now, left_ns) = (self.now_ns(), left.as_nanos() as u64);
        let held_ns = shortest_hold_ns(&mut All(&self.replicas), shunned, now);
        let down = self.replicas[at].health(|health| health.is_down());
        let repeat = Repeat { failed: failed.what, tries, held_ns, down, left_ns };
        let mut shared = self.lock();
        let Shared { budget, rng, .. } = &mut *shared;
        repeat.delay_ns(&self.retry, budget, now, rng).map(Duration::from_nanos)
    }

    /// When a second try beside a first is due; earns the call's part of one.
    pub(in crate::gateway) fn hedge_after(&self) -> Option<Duration> {
        let mut shared = self.lock();
        let hedger = shared.hedger.as_mut()?;
        hedger.on_call();
        hedger.delay_ns().map(Duration::from_nanos)
    }

    /// Whether there may be another second try.
    pub(in crate::gateway) fn spend_hedge(&self) -> bool {
        self.lock().hedger.as_mut().is_some_and(Hedger::try_spend)
    }

    /// Limit the calls over all servers; it is no longer found out.
    pub(in crate::gateway) fn set_limit(&self, limit: u32) {
        self.fixed.store(limit.max(1), Ordering::Relaxed);
        for replica in &self.replicas {
            replica.health(Health::fix);
        }
        self.adjust();
        self.news.notify_waiters();
    }

    /// Give the line the limit that the servers make together.
    fn adjust(&self) {
        let _turn = self.adjusting.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.fixed().unwrap_or_else(|| joint_limit(&mut All(&self.replicas)));
        self.turnstile.set_limit(limit);
    }

    /// The limit over all servers, if it is set.
    fn fixed(&self) -> Option<u32> {
        Some(self.fixed.load(Ordering::Relaxed)).filter(|&limit| limit > 0)
    }

    /// The part of a fixed limit that one server may have.
    fn limit_of_one(&self) -> u32 {
        limit_of_one(self.fixed(), &mut All(&self.replicas))
    }

    /// Tell a server's limiter something, and let it steer.
    pub(in crate::gateway) fn steer(&self, at: usize, news: News) {
        let (_, waiting) = self.turnstile.load();
        let now = self.now_ns();
        if self.replicas[at].health(|health| health.steer(news, waiting, now)) {
            self.adjust();
            self.news.notify_waiters();
        }
    }

    pub(in crate::gateway) fn stats(&self) -> EndpointStats {
        let snapshot = self.turnstile.snapshot();
        let now = self.now_ns();
        let limit = self.limit_of_one().min(snapshot.limit);
        let replicas: Vec<_> = {
            let shared = self.lock();
            let replicas = self.replicas.iter().enumerate();
            replicas
                .map(|(i, replica)| replica.stats(limit, shared.choice.outstanding(i), now))
                .collect()
        };
        EndpointStats {
            name: self.name.clone(),
            limit: snapshot.limit,
            limit_reason: replicas.first().map(|r| r.limit_reason.clone()).unwrap_or_default(),
            down: replicas.iter().all(|replica| replica.down),
            total: snapshot.total,
            jobs: snapshot.jobs,
            stages: snapshot.stages,
            replicas,
            not_kept: self.not_kept.load(Ordering::Relaxed),
        }
    }

    /// Whether none of its servers is up.
    pub(in crate::gateway) fn is_down(&self) -> bool {
        self.replicas.iter().all(Replica::is_down)
    }

    /// Whether a server is known to be a gateway of ours.
    pub(in crate::gateway) fn leads_to_gateway(&self) -> bool {
        self.replicas.iter().any(|replica| replica.gateway.load(Ordering::Relaxed))
    }

    /// Addresses of its servers, for messages.
    pub(in crate::gateway) fn urls(&self) -> String {
        let urls: Vec<&str> = self.replicas.iter().map(|replica| replica.url.as_str()).collect();
        urls.join(", ")
    }

    /// Whether its answers are simulated, as far as is known; asks the server if need be.
    pub(in crate::gateway) async fn simulates(&self, until: tokio::time::Instant) -> Option<bool> {
        if let Some(kind) = &self.kind {
            return Some(kind.starts_with("simulated"));
        }
        let replica = self.replicas.first()?;
        if replica.simulates(self.now_ns()).is_none() && !replica.is_down() {
            let probe = tokio::time::timeout_at(until, self.probe(0));
            let _ = tokio::time::timeout(transport::CONNECT_TIMEOUT, probe).await;
        }
        replica.simulates(self.now_ns())
    }

    /// What the answers of a server that simulates, or does not, are: answers of one kind never
    /// stand in for those of another.
    pub(in crate::gateway) fn kind_of(&self, simulated: bool) -> String {
        let mark = if simulated { "simulated" } else { "live" };
        match &self.kind {
            Some(kind) => format!("{mark} {kind}"),
            None => mark.to_owned(),
        }
    }

    pub(in crate::gateway) fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header with whether a server simulates.
pub(in crate::gateway) fn is_simulated(headers: &axum::http::HeaderMap) -> bool {
    headers.contains_key(header::ENDPOINT)
}
