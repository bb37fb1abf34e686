//! What a gateway is told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sage_core::endpoint::CacheMode;
use sage_core::fair::Share;
use sage_core::retry::RetryPolicy;

use crate::journal::Journal;

/// Settings of a gateway.
#[derive(Clone)]
pub struct GatewayConfig {
    /// The endpoints it leads to, at least one, with distinct names.
    pub upstreams: Vec<Upstream>,
    /// Bearer token that opens every endpoint; its calls share by job. `None` and no `clients` let
    /// everyone in.
    pub token: Option<String>,
    /// How those jobs share.
    pub jobs: JobShares,
    /// Clients with keys of their own; each has its share of every endpoint, over all its jobs.
    pub clients: Vec<ClientKey>,
    /// Where answers of `x-sage-cache: run` are kept.
    pub journal: Option<Journal>,
    /// Which run's answers those are; calls of other runs do not find them.
    pub run: String,
    /// Where answers of `x-sage-cache: content` are kept.
    pub content: Option<Journal>,
    /// What holds for calls that say nothing of a cache: `Off` or `Content`.
    pub cache: CacheMode,
    /// Largest request, bytes.
    pub max_body: usize,
    /// Serves TLS, to those whom this believes; plain HTTP without it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        GatewayConfig {
            upstreams: Vec::new(),
            token: None,
            jobs: JobShares::default(),
            clients: Vec::new(),
            journal: None,
            run: String::new(),
            content: None,
            cache: CacheMode::Off,
            max_body: 16 << 20,
            tls: None,
        }
    }
}

/// How the jobs that come with the gateway's own token, or without any, share an endpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobShares {
    /// Parts by name of the job; of others, the default.
    pub shares: BTreeMap<String, Share>,
    /// All stand in one line, in order of arrival.
    pub one_line: bool,
}

/// A client and its key.
#[derive(Clone)]
pub struct ClientKey {
    /// Its name, for accounts and figures.
    pub name: String,
    /// Bearer key that it sends.
    pub key: String,
    /// Its part of an endpoint that is wanted by several.
    pub share: Share,
    /// Names of the endpoints it may use; empty is all.
    pub endpoints: Vec<String>,
}

impl ClientKey {
    /// A client with an equal share of every endpoint.
    pub fn new(name: impl Into<String>, key: impl Into<String>) -> Self {
        ClientKey {
            name: name.into(),
            key: key.into(),
            share: Share::default(),
            endpoints: Vec::new(),
        }
    }
}

/// How many calls an endpoint may have at once, over all workers and jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// So many, over all servers of the endpoint together.
    Fixed(u32),
    /// Found out for each server while it serves.
    Auto {
        /// At most so many at one server.
        max: u32,
        /// Median latency that throughput is given up for.
        latency_target: Option<Duration>,
    },
}

/// A second try beside a slow first one, for calls that may safely be made twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeRule {
    /// It goes out when the first has taken longer than this share of the calls did.
    pub quantile: f64,
    /// Second tries as a share of the calls.
    pub budget: f64,
}

/// What tokens cost, in any currency, by the million.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Price {
    /// Of prompts.
    pub input_per_mtok: f64,
    /// Of answers.
    pub output_per_mtok: f64,
}

impl Price {
    pub(super) fn of(self, prompt_tokens: u64, completion_tokens: u64) -> f64 {
        let input = self.input_per_mtok * prompt_tokens as f64;
        let output = self.output_per_mtok * completion_tokens as f64;
        (input + output) / 1e6
    }
}

/// One endpoint: a server, or several with the same model.
#[derive(Clone)]
pub struct Upstream {
    /// Its name in the plan; part of the path (`/e/NAME/v1/...`).
    pub name: String,
    /// `http(s)://HOST[:PORT]`, with or without `/v1`.
    pub url: String,
    /// Further servers of the same model, in the same form.
    pub replicas: Vec<String>,
    /// Send prompts that begin alike to the same server, unless its load is far above the others'.
    pub affinity: bool,
    /// The model it serves, for calls to plain `/v1/...` when there are several upstreams.
    pub model: String,
    /// Key sent to the servers, if they want one.
    pub api_key: Option<String>,
    /// What its answers are, if that is known: `simulated:PROFILE`, say. Answers of one kind never
    /// stand in for those of another; `None` finds out whether the server says that it simulates.
    pub kind: Option<String>,
    /// Most calls at once.
    pub concurrency: Concurrency,
    /// Most calls that wait for one of those places; any more are refused with 429.
    pub queue: u32,
    /// A waiting call counts as one of the next more urgent lane after so long.
    pub aging: Duration,
    /// When a failed try is repeated.
    pub retry: RetryPolicy,
    /// Retries as a share of the calls; 0 makes none but of what the upstream was too busy for.
    pub retry_budget: f64,
    /// Second tries; `None` makes none.
    pub hedge: Option<HedgeRule>,
    /// Most tries a second, as an average over a minute.
    pub requests_per_s: Option<f64>,
    /// Most tokens (of prompts and answers) a second, as an average over a minute.
    pub tokens_per_s: Option<f64>,
    /// What its tokens cost.
    pub price: Price,
}

impl Upstream {
    /// An upstream with the defaults: 64 at once, a line of 10 000, no rate limits.
    pub fn new(name: impl Into<String>, url: impl Into<String>, model: impl Into<String>) -> Self {
        Upstream {
            name: name.into(),
            url: url.into(),
            replicas: Vec::new(),
            affinity: false,
            model: model.into(),
            api_key: None,
            kind: None,
            concurrency: Concurrency::Fixed(64),
            queue: 10_000,
            aging: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            retry_budget: 0.1,
            hedge: None,
            requests_per_s: None,
            tokens_per_s: None,
            price: Price::default(),
        }
    }

    /// Itself for each of its servers, alone.
    pub fn servers(&self) -> Vec<Upstream> {
        let urls = std::iter::once(&self.url).chain(&self.replicas);
        urls.map(|url| Upstream { url: url.clone(), replicas: Vec::new(), ..self.clone() })
            .collect()
    }
}

/// Keys and tokens are never shown.
fn redacted(secret: Option<&String>) -> &'static str {
    if secret.is_some() { "(redacted)" } else { "none" }
}

impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("upstreams", &self.upstreams)
            .field("token", &redacted(self.token.as_ref()))
            .field("jobs", &self.jobs)
            .field("clients", &self.clients)
            .field("journal", &self.journal.is_some())
            .field("run", &self.run)
            .field("content", &self.content.is_some())
            .field("cache", &self.cache)
            .field("max_body", &self.max_body)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("name", &self.name)
            .field("key", &redacted(Some(&self.key)))
            .field("share", &self.share)
            .field("endpoints", &self.endpoints)
            .finish()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas = self.replicas.iter().map(|url| super::transport::without_credentials(url));
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("url", &super::transport::without_credentials(&self.url))
            .field("replicas", &replicas.collect::<Vec<_>>())
            .field("affinity", &self.affinity)
            .field("model", &self.model)
            .field("api_key", &redacted(self.api_key.as_ref()))
            .field("kind", &self.kind)
            .field("concurrency", &self.concurrency)
            .field("queue", &self.queue)
            .field("aging", &self.aging)
            .field("retry", &self.retry)
            .field("retry_budget", &self.retry_budget)
            .field("hedge", &self.hedge)
            .field("requests_per_s", &self.requests_per_s)
            .field("tokens_per_s", &self.tokens_per_s)
            .field("price", &self.price)
            .finish()
    }
}
