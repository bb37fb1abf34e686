//! What the gateway says of itself: models, health, figures.
//!
//! `/health` is open to everyone and says no more than how many endpoints are up. `/metrics` names
//! jobs and addresses, so it wants a key wherever there are keys, on the loopback device, too: others
//! may be on the same host.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response};
use sage_core::endpoint::ErrorClass;
use serde::Serialize;

use super::attempt::pass_on;
use super::doors::Doors;
use super::figures;
use super::header;
use super::order::DEFAULT_DEADLINE;
use super::problem::Problem;
use super::target::Target;
use super::transport;

/// A JSON text as an answer.
pub(super) fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::GATEWAY, HeaderValue::from_static("1"));
    response
}

pub(super) async fn health(State(doors): State<Arc<Doors>>) -> Response<Body> {
    let count = doors.targets().len();
    let down = doors.targets().iter().filter(|target| target.is_down()).count();
    let status = match down {
        0 => "ok",
        all if all == count => "down",
        _ => "degraded",
    };
    let up = count - down;
    json(format!("{{\"status\":\"{status}\",\"endpoints\":{{\"up\":{up},\"down\":{down}}}}}"))
}

pub(super) async fn metrics(State(doors): State<Arc<Doors>>, headers: HeaderMap) -> Response<Body> {
    if let Err(problem) = doors.keys.check(&headers) {
        return problem.response();
    }
    let page = figures::page(doors.targets().iter().map(AsRef::as_ref));
    let mut response = Response::new(Body::from(page));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response.headers_mut().insert(header::GATEWAY, HeaderValue::from_static("1"));
    response
}

pub(super) async fn named_models(
    State(doors): State<Arc<Doors>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    models(&doors, Some(&name), &headers).await.unwrap_or_else(|problem| problem.response())
}

pub(super) async fn plain_models(
    State(doors): State<Arc<Doors>>,
    headers: HeaderMap,
) -> Response<Body> {
    models(&doors, None, &headers).await.unwrap_or_else(|problem| problem.response())
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// The upstream's own list if it is clear which; else the models that the client is led to.
async fn models(
    doors: &Doors,
    endpoint: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let client = doors.keys.check(headers)?;
    let open: Vec<&Arc<Target>> = doors.open(client).collect();
    let target = match (endpoint, open.as_slice()) {
        (Some(name), _) => doors.named(client, name)?,
        (None, [only]) => only,
        (None, targets) => {
            let model = |id| Model { id, object: "model", created: 0, owned_by: "sage-flow" };
            let data = targets.iter().map(|target| model(target.model.as_str())).collect();
            let body = serde_json::to_vec(&Models { object: "list", data }).unwrap_or_default();
            return Ok(json(body));
        }
    };
    let deadline = header::number(headers, &header::DEADLINE_MS).map(Duration::from_millis);
    // One that is up, if any is.
    let replicas = &target.replicas;
    let Some(replica) = replicas.iter().find(|r| !r.is_down()).or(replicas.first()) else {
        return Err(Problem::new(ErrorClass::Unreachable, "the endpoint has no server"));
    };
    let request = replica
        .client
        .get(replica.models.clone())
        .headers(replica.headers.clone())
        .timeout(deadline.unwrap_or(DEFAULT_DEADLINE).min(DEFAULT_DEADLINE));
    let response = request.send().await.map_err(|error| {
        let class = if error.is_connect() {
            ErrorClass::Unreachable
        } else if error.is_timeout() {
            ErrorClass::Timeout
        } else {
            ErrorClass::Server
        };
        Problem::new(class, format!("{}: {}", replica.url, transport::describe(error)))
    })?;
    let (parts, body) = Response::from(response).into_parts();
    Ok(pass_on(&parts, Body::new(body)))
}
