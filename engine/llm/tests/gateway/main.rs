//! The gateway between real sockets: retries, limits, the line, and accounts that add up.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod crash;
mod figures;
mod front;
mod hedge;
mod journal;
mod line;
mod refusals;
mod replicas;
mod retry;
mod shapes;
mod sharing;
mod start;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use common::*;
use sage_core::endpoint::{ErrorClass, Request};
use sage_core::retry::RetryPolicy;
use sage_llm::gateway::{
    Concurrency, Counters, Gateway, GatewayConfig, GatewayError, Upstream, probe,
};

fn add_up(counters: &Counters) -> bool {
    counters.calls == counters.ok + counters.errors.sum() + counters.in_flight + counters.queued
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A call to `path` as any other client makes it.
fn plain(gateway: &str, path: &str, body: &'static str) -> reqwest::RequestBuilder {
    http().post(format!("{gateway}{path}")).bearer_auth(TOKEN).body(body)
}

const BODY: &str = r#"{"model":"m","prompt":"p","max_tokens":8}"#;
