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
use sage_core::limiter::Overload;
use sage_core::replica::Replicas;
use sage_core::retry::{Disposition, Failure, RetryBudget, RetryPolicy};
use tokio::sync::Notify;

use super::GatewayError;
use super::attempt::Failed;
use super::config::{Concurrency, JobShares, Upstream};
use super::header;
use super::rates::Rates;
use super::replica::{News, Replica};
use super::stats::EndpointStats;
use super::transport;
use super::turnstile::Turnstile;

pub(in crate::gateway) use choice::{Closed, Shunned};
pub(in crate::gateway) use visit::Visit;

/// Retries at once besides the share of the calls: one for each place, because a restarted server
/// cuts all calls it had. So many places count where their number is found out.
const USUAL_PLACES: u32 = 64;
/// A try that was shed cost the upstream nothing, so there may be so many times more of them than of
/// others.
const SHED_FACTOR: u32 = 4;
/// A time without an answer that counts against a server: as a multiple of the usual one, at least
/// so long, and so long where nothing is usual yet.
const LONG_FACTOR: u32 = 4;
const LEAST_LONG: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);
/// Most servers of an endpoint.
const MAX_REPLICAS: usize = 64;

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
        if servers.len() > MAX_REPLICAS {
            return Err(GatewayError::Config(format!(
                "endpoint `{}` has {} servers; at most {MAX_REPLICAS} are possible",
                upstream.name,
                servers.len()
            )));
        }
        let replicas = servers.iter().map(Replica::new).collect::<Result<Vec<_>, _>>()?;
        let fixed = match upstream.concurrency {
            Concurrency::Fixed(limit) => limit.max(1),
            Concurrency::Auto { .. } => 0,
        };
        let burst = match upstream.concurrency {
            Concurrency::Fixed(limit) => limit,
            Concurrency::Auto { max, .. } => max.min(USUAL_PLACES),
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
                budget: RetryBudget::of_share(upstream.retry_budget, f64::from(burst.max(10))),
                hedger: upstream.hedge.map(|rule| Hedger::new(rule.quantile, rule.budget)),
                rng: Pcg32::seed_from_u64(seed),
            }),
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
        if self.replicas[at].reached() {
            self.adjust();
            self.news.notify_waiters();
        }
    }

    /// A server took a call, or found fault with it.
    fn took(&self, at: usize) {
        if self.replicas[at].took() {
            self.news.notify_waiters();
        }
    }

    /// No connection to a server could be made.
    pub(in crate::gateway) fn unreachable(&self, at: usize) {
        let now = self.now_ns();
        let went_down = self.replicas[at].unreachable(now, &mut self.lock().rng);
        if went_down {
            self.adjust();
        }
        self.news.notify_waiters();
    }

    fn came_to_nothing(&self, at: usize, trial: bool) {
        let now = self.now_ns();
        if self.replicas[at].came_to_nothing(trial, now, &mut self.lock().rng) {
            self.adjust();
        }
        self.news.notify_waiters();
    }

    /// The time of a call has ended, `after` so long at a server. That says something of the server
    /// only if it was long: a client in a hurry must not close it for the others.
    pub(in crate::gateway) fn timed_out(&self, at: usize, after: Duration) {
        let usual = self.turnstile.service();
        if after < usual.map_or(LONG, |usual| (usual * LONG_FACTOR).max(LEAST_LONG)) {
            return;
        }
        let now = self.now_ns();
        let replica = &self.replicas[at];
        replica.answered(false);
        let (class, seconds) = (ErrorClass::Timeout, after.as_secs_f64());
        let how = format!("the last failure was: {class}: no answer within {seconds:.1} s");
        replica.remember(how, now);
        replica.overloaded(Overload::Failed, now);
        self.came_to_nothing(at, true);
        self.steer(at, News::Nothing);
    }

    /// A call's first try goes out.
    pub(in crate::gateway) fn first_try(&self) {
        self.lock().budget.on_call();
    }

    /// How long to wait before the next try after `tries`, of which the upstream shed `sheds`; `None`
    /// is to give up.
    pub(in crate::gateway) fn backoff(
        &self,
        tries: u32,
        sheds: u32,
        failed: Failed,
        shunned: &Shunned,
        left: Duration,
    ) -> Option<Duration> {
        let shed = match failed.disposition() {
            Disposition::Terminal => return None,
            Disposition::Shed => true,
            Disposition::Retry => false,
        };
        // A gateway further on has made the tries there were to make.
        if failed.by_gateway && !(shed && failed.untried) {
            return None;
        }
        let max = self.retry.max;
        let attempt = if shed {
            if sheds > max.saturating_mul(SHED_FACTOR) {
                return None;
            }
            sheds.min(max)
        } else {
            tries.saturating_sub(sheds)
        };
        let now = self.now_ns();
        let left = left.as_nanos() as u64;
        // What a server asked for concerns that server; another one may be asked at once.
        let replicas = self.replicas.iter().enumerate();
        let waits = replicas.map(|(i, replica)| replica.held_ns(now).max(shunned.wait(i, now)));
        let held = waits.min().unwrap_or(0);
        let failure = Failure { class: failed.class, retry_after_ns: Some(held) };
        let mut shared = self.lock();
        let Shared { budget, rng, .. } = &mut *shared;
        let delay = self.retry.next_delay(attempt, failure, left, rng)?;
        let budgeted = if shed { 0 } else { budget.reserve(now, left)? };
        let delay = delay.max(budgeted);
        (delay < left).then_some(Duration::from_nanos(delay))
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
            replica.fix();
        }
        self.adjust();
        self.news.notify_waiters();
    }

    /// Give the line the limit that the servers make together.
    pub(in crate::gateway) fn adjust(&self) {
        let fixed = self.fixed.load(Ordering::Relaxed);
        let limit = if fixed > 0 {
            fixed
        } else {
            let up: u32 = self.limits(|replica| !replica.is_down());
            // When all are down the calls wait for them with permits: those they will have.
            if up > 0 { up } else { self.limits(|_| true) }
        };
        self.turnstile.set_limit(limit);
    }

    fn limits(&self, counts: impl Fn(&Replica) -> bool) -> u32 {
        let counted = self.replicas.iter().filter(|replica| counts(replica));
        counted.filter_map(Replica::limit).sum()
    }

    /// The part of a fixed limit that one server may have.
    fn limit_of_one(&self) -> u32 {
        let fixed = self.fixed.load(Ordering::Relaxed);
        if self.replicas.len() == 1 || fixed == 0 {
            return u32::MAX;
        }
        let up = self.replicas.iter().filter(|replica| !replica.is_down()).count();
        fixed.div_ceil(up.max(1) as u32)
    }

    /// Tell a server's limiter something, and let it steer.
    pub(in crate::gateway) fn steer(&self, at: usize, news: News) {
        let (_, waiting) = self.turnstile.load();
        if self.replicas[at].steer(news, waiting, self.now_ns()) {
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
