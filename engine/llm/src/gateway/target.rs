//! One upstream while the gateway runs: its client, its line and what is known of its health.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_pcg::Pcg32;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use sage_core::limit::TokenBucket;
use sage_core::retry::{Breaker, Failure, Passage, RetryBudget, RetryPolicy};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::GatewayError;
use super::config::Upstream;
use super::stats::EndpointStats;
use super::transport;
use super::turnstile::Turnstile;

/// Retries: a tenth of the calls, ten a second besides, and one for each place at once, because a
/// restarted server cuts all calls it had.
const RETRY_SHARE: f64 = 0.1;
const RETRY_FLOOR_PER_S: f64 = 10.0;

/// Kept alive at least, for a limit that is raised later.
const IDLE_CONNECTIONS: usize = 256;

/// Probes of an upstream that is down: at first so far apart, at most so far.
const PROBE_BASE: Duration = Duration::from_millis(50);
const PROBE_CAP: Duration = Duration::from_millis(500);

/// See the module.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) model: String,
    /// For messages.
    pub(super) url: String,
    pub(super) client: Client,
    pub(super) chat: Url,
    pub(super) completions: Url,
    pub(super) embeddings: Url,
    pub(super) models: Url,
    /// Sent with every request.
    pub(super) headers: HeaderMap,
    pub(super) turnstile: Arc<Turnstile>,
    pub(super) retry: RetryPolicy,
    pub(super) requests: Option<Pace>,
    pub(super) tokens: Option<Pace>,
    health: Mutex<Health>,
    back: Notify,
    started: Instant,
}

struct Health {
    breaker: Breaker,
    budget: RetryBudget,
    rng: Pcg32,
}

impl Target {
    pub(super) fn new(upstream: Upstream) -> Result<Target, GatewayError> {
        let base = transport::base_url(&upstream)?;
        let client = transport::client(
            &upstream,
            &base,
            IDLE_CONNECTIONS.max(upstream.concurrency as usize),
        )?;
        let headers = authorization(&upstream)?;
        let pace = |rate: Option<f64>, what: &str| match rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => Err(GatewayError::Config(format!(
                "endpoint `{}`: {what} per second must be above 0, not {rate}",
                upstream.name
            ))),
            rate => Ok(rate.map(Pace::new)),
        };
        let ns = |duration: Duration| duration.as_nanos() as u64;
        let lease = transport::CONNECT_TIMEOUT + Duration::from_secs(1);
        // Random, not seeded: gateways must differ, and nothing that is reproduced depends on it.
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &upstream.name);
        Ok(Target {
            requests: pace(upstream.requests_per_s, "requests")?,
            tokens: pace(upstream.tokens_per_s, "tokens")?,
            url: transport::without_credentials(&upstream.url),
            chat: transport::join(&base, "chat/completions"),
            completions: transport::join(&base, "completions"),
            embeddings: transport::join(&base, "embeddings"),
            models: transport::join(&base, "models"),
            turnstile: Arc::new(Turnstile::new(upstream.concurrency, upstream.queue)),
            health: Mutex::new(Health {
                breaker: Breaker::new(ns(PROBE_BASE), ns(PROBE_CAP), ns(lease)),
                budget: RetryBudget::new(
                    RETRY_SHARE,
                    RETRY_FLOOR_PER_S,
                    f64::from(upstream.concurrency.max(10)),
                ),
                rng: Pcg32::seed_from_u64(seed),
            }),
            back: Notify::new(),
            started: Instant::now(),
            retry: upstream.retry,
            name: upstream.name,
            model: upstream.model,
            client,
            headers,
        })
    }

    pub(super) fn stats(&self) -> EndpointStats {
        let (limit, total, jobs) = self.turnstile.snapshot();
        let down = self.health().breaker.down_since_ns().is_some();
        EndpointStats { name: self.name.clone(), limit, down, total, jobs }
    }

    /// Wait until the upstream is not known to be down. Whoever is first in an interval asks it.
    pub(super) async fn passable(&self) {
        loop {
            // Registered before the question, else the news in between would be missed.
            let back = self.back.notified();
            let passage = self.health().breaker.pass(self.now_ns());
            match passage {
                Passage::Open | Passage::Trial => return,
                Passage::Wait(ns) => {
                    // Ends early when the upstream is back.
                    let _ = tokio::time::timeout(Duration::from_nanos(ns), back).await;
                }
                Passage::Probe => {
                    let request =
                        self.client.get(self.models.clone()).headers(self.headers.clone());
                    match request.timeout(transport::CONNECT_TIMEOUT).send().await {
                        Err(error) if error.is_connect() => self.unreachable(),
                        // Any other news is news from the upstream, and the call will bring its own.
                        _ => self.reached(),
                    }
                }
            }
        }
    }

    /// The upstream has answered something.
    pub(super) fn reached(&self) {
        if self.health().breaker.reached() {
            self.back.notify_waiters();
        }
    }

    /// No connection could be made.
    pub(super) fn unreachable(&self) {
        let now = self.now_ns();
        let mut health = self.health();
        let Health { breaker, rng, .. } = &mut *health;
        breaker.unreachable(now, rng);
    }

    /// A call's first try goes out.
    pub(super) fn first_try(&self) {
        self.health().budget.on_call();
    }

    /// How long to wait before the next try; `None` is to give up.
    pub(super) fn backoff(&self, tries: u32, failure: Failure, left: Duration) -> Option<Duration> {
        let now = self.now_ns();
        let left = left.as_nanos() as u64;
        let mut health = self.health();
        let Health { budget, rng, .. } = &mut *health;
        let delay = self.retry.next_delay(tries, failure, left, rng)?;
        let budgeted = budget.reserve(now, left)?;
        let delay = delay.max(budgeted);
        (delay < left).then_some(Duration::from_nanos(delay))
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header that carries an upstream's key, if it has one.
pub(super) fn authorization(upstream: &Upstream) -> Result<HeaderMap, GatewayError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &upstream.api_key {
        let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| {
            GatewayError::Config(format!(
                "endpoint `{}`: the api key has a character that a header cannot hold (a line end?)",
                upstream.name
            ))
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// A rate limit that serves in order of arrival.
pub(super) struct Pace {
    bucket: Mutex<TokenBucket>,
    /// Held by the one that waits for the bucket; tokio's mutex is fair.
    turn: tokio::sync::Mutex<()>,
    started: Instant,
}

impl Pace {
    fn new(rate_per_s: f64) -> Self {
        Pace {
            bucket: Mutex::new(TokenBucket::per_second(rate_per_s)),
            turn: tokio::sync::Mutex::new(()),
            started: Instant::now(),
        }
    }

    /// Wait for `amount`.
    pub(super) async fn take(&self, amount: f64) {
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.bucket().try_take(amount, self.now_ns());
            match taken {
                Ok(()) => return,
                Err(ns) => sleep(Duration::from_nanos(ns)).await,
            }
        }
    }

    /// Replace what was taken by what was used.
    pub(super) fn settle(&self, estimate: f64, actual: f64) {
        self.bucket().settle(estimate, actual, self.now_ns());
    }

    fn bucket(&self) -> MutexGuard<'_, TokenBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}
