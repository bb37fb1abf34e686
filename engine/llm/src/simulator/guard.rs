//! What every request passes before its handler: load, name, faults, key.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::compose::draw;
use super::config::SimulatorConfig;
use super::fault::{Effect, Fate, RetryAfter, broken, damage};
use super::held::{Load, MAX_LOAD};
use super::problem::Problem;
use super::server::Server;
use super::socket::Connection;

/// Longest name of a request that is taken from its client.
const NAME: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the handler of an admitted request is told.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    /// The client's name for the request, or a number.
    pub(super) request_id: String,
    /// A structured answer must not fit.
    pub(super) wrong_schema: bool,
}

/// Admit a request and mark its answer: it is simulated, and whose it is.
pub(super) async fn guard(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let name = request.headers().get(REQUEST_ID).cloned();
    let mut response = admit(&server, &connection, request, next).await;
    let headers = response.headers_mut();
    headers.insert("x-sage-endpoint", HeaderValue::from_static("simulated"));
    if let Some(name) = name {
        headers.insert(REQUEST_ID, name);
    }
    response
}

async fn admit(
    server: &Arc<Server>,
    connection: &Connection,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let (api, admin) = (path.starts_with("/v1/"), path.starts_with("/admin/"));
    connection.set_exempt(admin);
    if admin {
        return next.run(request).await;
    }
    let now = server.clock().now();
    if server.faults().outage(now) {
        connection.reset();
        return broken();
    }
    if server.faults().starting(now) {
        let message = "The simulated model is still loading.";
        return refusal(server, Problem::new(StatusCode::SERVICE_UNAVAILABLE, message));
    }
    if api && !authorized(server.config(), &request) {
        return Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized").into_response();
    }
    let counted = request.method() == Method::POST;
    let fate = if api && counted { server.faults().next() } else { Fate::default() };
    let load = if counted {
        let Some(load) = Load::take(server) else {
            let message = format!("The simulator holds at most {MAX_LOAD} requests.");
            return refusal(server, Problem::new(StatusCode::SERVICE_UNAVAILABLE, message));
        };
        Some(load)
    } else {
        None
    };
    let admitted = Admitted { request_id: name(server, &request), wrong_schema: fate.wrong_schema };
    let lot = draw(&admitted.request_id, server.seed());
    request.extensions_mut().insert(admitted);
    if !fate.delay.is_zero() {
        tokio::time::sleep(server.clock().scaled(fate.delay)).await;
    }
    let response = match fate.effect {
        None => next.run(request).await,
        Some(Effect::Status(status)) => {
            refusal(server, Problem::new(status, format!("Injected fault: {status}")))
        }
        Some(Effect::Stall) => {
            // Until the client leaves, which drops this future, or the server stops.
            server.stopped().await;
            Problem::stopping().into_response()
        }
        Some(Effect::Drop) => broken(),
        Some(effect) => {
            if effect == Effect::Reset {
                connection.reset();
            }
            damage(next.run(request).await, effect, lot).await
        }
    };
    match load {
        Some(load) => load.hold(response),
        None => response,
    }
}

/// A refusal with the `Retry-After` that the rules ask for.
fn refusal(server: &Server, problem: Problem) -> Response {
    let mut response = problem.into_response();
    match server.faults().retry_after() {
        _ if !response.headers().contains_key(header::RETRY_AFTER) => {}
        Some(RetryAfter::Seconds(seconds)) => {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Some(RetryAfter::Silent) => {
            response.headers_mut().remove(header::RETRY_AFTER);
        }
        None => {}
    }
    response
}

/// The client's name for the request if it can stand in an id, else a number.
fn name(server: &Server, request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let given = given.filter(|name| {
        (1..=NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    });
    given.map_or_else(|| format!("sim-{}", server.next_number()), str::to_owned)
}

fn authorized(config: &SimulatorConfig, request: &Request) -> bool {
    let Some(key) = &config.api_key else { return true };
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|sent| sent.strip_prefix("Bearer ")) == Some(key)
}
