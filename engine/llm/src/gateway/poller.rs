//! Reads the load of servers whose limits are found out, from their `/metrics`.
//!
//! Only while there is something to do, in bounded time and size. A server that has no metrics is
//! asked again rarely: it may have been restarted with another setting.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use sage_core::limiter::ServerLoad;
use sage_core::upstream::News;
use tokio::time::sleep;

use super::replica::Replica;
use super::target::Target;

/// For the whole answer.
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_PAGE: usize = 4 << 20;
/// Until a server without metrics is asked again: at first, and at most.
const RARELY: Duration = Duration::from_secs(30);
const RAREST: Duration = Duration::from_secs(600);

enum Page {
    Load(ServerLoad),
    /// It has none that are known.
    None,
    /// It did not answer, which says nothing.
    Silent,
}

/// Poll server `at` of `target` for ever.
pub(super) async fn poll(target: Arc<Target>, at: usize) {
    let mut rarely = RARELY;
    let mut skip = Duration::ZERO;
    loop {
        let pause = Duration::from_nanos(target.turnstile.usual().poll_pause_ns());
        sleep(pause).await;
        if !target.replicas[at].is_auto() {
            // Its limit was set by hand, which may have been for now.
            continue;
        }
        if target.turnstile.load() == (0, 0) {
            continue;
        }
        skip = skip.saturating_sub(pause);
        if !skip.is_zero() || target.replicas[at].is_down() {
            target.steer(at, News::Nothing);
            continue;
        }
        match page(&target.replicas[at]).await {
            Page::Load(load) => {
                rarely = RARELY;
                target.steer(at, News::Server(load));
            }
            Page::None => {
                skip = rarely;
                rarely = (rarely * 2).min(RAREST);
                target.steer(at, News::Nothing);
            }
            Page::Silent => target.steer(at, News::Nothing),
        }
    }
}

async fn page(replica: &Replica) -> Page {
    let request = replica.client.get(replica.metrics.clone()).headers(replica.headers.clone());
    let Ok(response) = request.timeout(TIMEOUT).send().await else { return Page::Silent };
    if response.status().is_server_error() {
        return Page::Silent;
    }
    if !response.status().is_success() {
        return Page::None;
    }
    let body = axum::http::Response::from(response).into_body();
    let Ok(read) = Limited::new(body, MAX_PAGE).collect().await else { return Page::Silent };
    let bytes = read.to_bytes();
    std::str::from_utf8(&bytes).ok().and_then(ServerLoad::parse).map_or(Page::None, Page::Load)
}
