//! The one door to the shared endpoints: every call of every worker goes through it.
//!
//! ```text
//!  worker 0 --.                  .- journal -- turnstile -- breaker -- rate -- try .
//!  worker 1 ---+- HTTP - router -+  paid       fair line    which      pace    ^   +- server A1
//!  worker n --'                  |  before?                 server?            |   +- server A2
//!                                '- (the same for endpoint B)     backoff -----'   hedge
//! ```
//!
//! Only a place that sees all calls can keep a limit for the cluster, share it fairly, know what was
//! paid for already, and own the retries. It speaks the OpenAI API on both sides, so any client may
//! use it: request bodies are forwarded as they came, answers likewise, but where some of a list is
//! known already.
//!
//! A call's deadline arrives with it and bounds every wait here together. A client that goes away
//! takes its call with it, whether that waits in the line or is at the upstream; a worker that
//! crashed does not (see `calls`).
//!
//! The gateway brings no runtime: [`Gateway::serve`] runs on the caller's.

mod about;
mod attempt;
mod calls;
mod config;
mod doors;
mod error;
mod figures;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod header;
mod hedge;
mod keys;
mod order;
mod peek;
mod poller;
mod probe;
pub(crate) mod problem;
mod rates;
mod relay;
mod replica;
mod retry_after;
pub(crate) mod reuse;
mod route;
mod server;
pub(crate) mod sse;
mod stats;
mod target;
pub(crate) mod transport;
mod turnstile;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use config::{ClientKey, Concurrency, GatewayConfig, HedgeRule, JobShares, Price, Upstream};
pub use error::GatewayError;
pub use probe::{ModelList, probe};
pub use stats::{Counters, EndpointStats, ErrorCounts, GatewayStats, ReplicaStats, StageStats};

use doors::Doors;
use order::Operation;
use target::Target;

/// A gateway that has its port and is ready to serve.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    doors: Arc<Doors>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Time for calls in flight after it was told to stop.
    pub const GRACE: std::time::Duration = server::GRACE;

    /// Check `config` and take `address` (`HOST:PORT`; port 0 takes a free one).
    ///
    /// Must be called on a tokio runtime.
    pub async fn bind(address: &str, config: GatewayConfig) -> Result<Gateway, GatewayError> {
        let tls = config.tls.clone();
        let doors = Arc::new(Doors::new(config)?);
        let fail = |source| GatewayError::bind(address, source);
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Gateway { listener, address, tls, doors })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to its counters, good for as long as it is kept.
    pub fn stats(&self) -> StatsHandle {
        StatsHandle { targets: self.doors.targets().to_vec() }
    }

    /// Serve until `shutdown`, then let calls in flight end for a short while.
    ///
    /// Dropping the future cuts everything off at once.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let tls = self.tls.map(TlsAcceptor::from);
        server::serve(self.listener, tls, self.doors, shutdown).await;
    }
}

/// Reads a gateway's counters from any thread, also after it has ended.
#[derive(Clone)]
pub struct StatsHandle {
    targets: Vec<Arc<Target>>,
}

impl fmt::Debug for StatsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsHandle").field("endpoints", &self.targets.len()).finish()
    }
}

impl StatsHandle {
    /// The counters now. Those of one endpoint belong to one moment, so they always add up.
    pub fn snapshot(&self) -> GatewayStats {
        GatewayStats { endpoints: self.targets.iter().map(|target| target.stats()).collect() }
    }

    /// Change an endpoint's concurrency limit while it serves; `auto` ends with it. False if there is
    /// no such endpoint.
    pub fn set_limit(&self, endpoint: &str, limit: u32) -> bool {
        let found = self.targets.iter().find(|target| target.name == endpoint);
        found.map(|target| target.set_limit(limit)).is_some()
    }
}
