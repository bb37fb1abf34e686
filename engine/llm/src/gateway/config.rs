//! What a gateway is told.

use std::fmt;

use sage_core::retry::RetryPolicy;

/// Settings of a gateway.
#[derive(Clone, Default)]
pub struct GatewayConfig {
    /// The endpoints it leads to, at least one, with distinct names.
    pub upstreams: Vec<Upstream>,
    /// Bearer token that every call must bring; `None` lets everyone in.
    pub token: Option<String>,
}

/// One endpoint.
#[derive(Clone)]
pub struct Upstream {
    /// Its name in the plan; part of the path (`/e/NAME/v1/...`).
    pub name: String,
    /// `http(s)://HOST[:PORT]`, with or without `/v1`.
    pub url: String,
    /// The model it serves, for calls to plain `/v1/...` when there are several upstreams.
    pub model: String,
    /// Key sent to the upstream, if it wants one.
    pub api_key: Option<String>,
    /// Most calls at the upstream at once, over all workers and jobs.
    pub concurrency: u32,
    /// Most calls that wait for one of those places; any more are refused with 429.
    pub queue: u32,
    /// When a failed try is repeated.
    pub retry: RetryPolicy,
    /// Most tries a second.
    pub requests_per_s: Option<f64>,
    /// Most tokens (of prompts and answers) a second.
    pub tokens_per_s: Option<f64>,
}

impl Upstream {
    /// An upstream with the defaults: 64 at once, a line of 10 000, no rate limits.
    pub fn new(name: impl Into<String>, url: impl Into<String>, model: impl Into<String>) -> Self {
        Upstream {
            name: name.into(),
            url: url.into(),
            model: model.into(),
            api_key: None,
            concurrency: 64,
            queue: 10_000,
            retry: RetryPolicy::default(),
            requests_per_s: None,
            tokens_per_s: None,
        }
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
            .finish()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("url", &super::transport::without_credentials(&self.url))
            .field("model", &self.model)
            .field("api_key", &redacted(self.api_key.as_ref()))
            .field("concurrency", &self.concurrency)
            .field("queue", &self.queue)
            .field("retry", &self.retry)
            .field("requests_per_s", &self.requests_per_s)
            .field("tokens_per_s", &self.tokens_per_s)
            .finish()
    }
}
