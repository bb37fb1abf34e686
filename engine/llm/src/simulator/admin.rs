//! `GET` and `POST /admin/faults`: the fault rules while the server runs.
//!
//! Only there when the server was started with it, only for callers on the same machine, and not
//! for web pages: a browser names the page's origin, and no other client does.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use super::fault::Faults;
use super::problem::Problem;
use super::server::Server;
use super::socket::Connection;

/// Longest list of rules.
const LONGEST: usize = 4096;

#[derive(Debug, Deserialize)]
struct Wanted {
    /// Rules as on the command line; none ends all faults.
    rules: String,
}

pub(super) async fn show(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    allow(&connection, &headers)?;
    Ok(report(&server))
}

pub(super) async fn change(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    allow(&connection, &headers)?;
    let Wanted { rules } = body::parse(bytes)?;
    if rules.len() > LONGEST {
        return Err(Problem::bad("rules", format!("rules are longer than {LONGEST} bytes.")));
    }
    let faults = Faults::parse(&rules).map_err(|error| Problem::bad("rules", error.to_string()))?;
    server.faults().set(faults, server.clock().now());
    Ok(report(&server))
}

fn allow(connection: &Connection, headers: &HeaderMap) -> Result<(), Problem> {
    if connection.peer.ip().to_canonical().is_loopback() && !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let message = "Faults are set from the same machine, by no web page.";
    Err(Problem::new(StatusCode::FORBIDDEN, message))
}

fn report(server: &Server) -> Json<Value> {
    let report = server.faults().report();
    let now = server.clock().now();
    let seconds = |ns: u64| ns as f64 / 1e9;
    Json(json!({
        "rules": report.rules,
        "calls": report.calls,
        "virtual_seconds_since_set": seconds(now.saturating_sub(report.since_ns)),
        "virtual_seconds": seconds(now),
        "starting": server.faults().starting(now),
        "outage": server.faults().outage(now),
    }))
}
