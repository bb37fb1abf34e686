//! The one door to the shared endpoints: every call of every worker goes through it.
//!
//! ```text
//!  worker 0 --.                    .- turnstile -- breaker -- rate -- try .
//!  worker 1 ---+-- HTTP -- router -+    FIFO        down?     pace    ^   +-- upstream A
//!  worker n --'                    |                                  '---' backoff
//!                                  '- (the same for upstream B)
//! ```
//!
//! Only a place that sees all calls can keep a limit for the cluster, serve in order of arrival,
//! and own the retries. It speaks the OpenAI API on both sides, so any client may use it: request
//! bodies are forwarded as they came, answers likewise.
//!
//! A call's deadline arrives with it and bounds every wait here together; a client that goes away
//! takes its call with it, whether that waits in the line or is at the upstream.
//!
//! The gateway brings no runtime: [`Gateway::serve`] runs on the caller's.

mod attempt;
mod config;
mod error;
mod forward;
pub(crate) mod header;
mod peek;
mod probe;
pub(crate) mod problem;
mod relay;
mod route;
mod server;
mod stats;
mod target;
mod transport;
mod turnstile;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use config::{GatewayConfig, Upstream};
pub use error::GatewayError;
pub use probe::{ModelList, probe};
pub use stats::{Counters, EndpointStats, ErrorCounts, GatewayStats};

use route::Doors;
use target::Target;

/// A gateway that has its port and is ready to serve.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    doors: Arc<Doors>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Check `config` and take `address` (`HOST:PORT`; port 0 takes a free one).
    ///
    /// Must be called on a tokio runtime.
    pub async fn bind(address: &str, config: GatewayConfig) -> Result<Gateway, GatewayError> {
        let doors = Arc::new(Doors::new(config)?);
        let fail = |source| GatewayError::bind(address, source);
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Gateway { listener, address, doors })
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
        server::serve(self.listener, route::router(self.doors), shutdown).await;
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

    /// Change an endpoint's concurrency limit while it serves. False if there is no such endpoint.
    pub fn set_limit(&self, endpoint: &str, limit: u32) -> bool {
        let found = self.targets.iter().find(|target| target.name == endpoint);
        found.map(|target| target.turnstile.set_limit(limit)).is_some()
    }
}
