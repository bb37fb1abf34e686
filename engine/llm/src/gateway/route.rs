//! Paths of the gateway, and the way from an HTTP request to a call of one endpoint.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use sage_core::endpoint::{CacheMode, Lane};
use tokio::time::Instant;

use super::about;
use super::doors::Doors;
use super::header::{self, CallId};
use super::order::{DEFAULT_DEADLINE, Operation, Order};
use super::peek::RequestPeek;
use super::problem::Problem;
use super::reuse::answer;
use super::target::Target;

/// Largest headers of a request: room for the identities of a list of 2048 records.
const MAX_HEADERS: usize = 64 << 10;
/// Longest time for a request to arrive whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A day: more would not be a deadline, and could overflow the clock.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 3600);
/// The job of calls that name none.
const NO_JOB: &str = "(none)";
/// Longest name of a job that is told apart from others.
const MAX_JOB: usize = 200;

pub(super) fn router(doors: Arc<Doors>) -> Router {
    let mut router = Router::new()
        .route("/health", get(about::health))
        .route("/metrics", get(about::metrics))
        .route("/v1/models", get(about::plain_models))
        .route("/e/{endpoint}/v1/models", get(about::named_models))
        .route(&format!("{}/{{id}}", header::CALLS_PATH), delete(cancel));
    for operation in Operation::ALL {
        let named = move |State(doors): State<Arc<Doors>>,
                          Path(name): Path<String>,
                          request: Request| async move {
            call(&doors, Some(&name), operation, request).await
        };
        let plain = move |State(doors): State<Arc<Doors>>, request: Request| async move {
            call(&doors, None, operation, request).await
        };
        let path = operation.path();
        router = router
            .route(&format!("/e/{{endpoint}}/v1/{path}"), post(named))
            .route(&format!("/v1/{path}"), post(plain));
    }
    let missing = |request: Request| async move {
        let message = format!("no operation {} {}", request.method(), request.uri().path());
        Problem::rejected(StatusCode::NOT_FOUND, message).response()
    };
    router
        .fallback(missing)
        .method_not_allowed_fallback(|| async {
            let message = "this operation wants another method";
            Problem::rejected(StatusCode::METHOD_NOT_ALLOWED, message).response()
        })
        .with_state(doors)
}

fn check_size(headers: &HeaderMap) -> Result<(), Problem> {
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size <= MAX_HEADERS {
        return Ok(());
    }
    let message = format!("the headers are larger than {} KiB", MAX_HEADERS >> 10);
    Err(Problem::rejected(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message))
}

/// A client gives up a call, or all of its session's.
async fn cancel(
    State(doors): State<Arc<Doors>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let client = match doors.keys.check(&headers) {
        Ok(client) => client,
        Err(problem) => return problem.response(),
    };
    let given_up = match CallId::parse(&id) {
        Some(id) => Some((id.session, Some(id.number))),
        None => u64::from_str_radix(&id, 16).ok().map(|session| (session, None)),
    };
    let Some((session, number)) = given_up else {
        let message = format!("`{id}` is neither a call nor a session");
        return Problem::rejected(StatusCode::BAD_REQUEST, message).response();
    };
    let count = doors.calls.cancel(session, number, client);
    about::json(format!("{{\"cancelled\":{count}}}"))
}

async fn call(
    doors: &Arc<Doors>,
    endpoint: Option<&str>,
    operation: Operation,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match order(doors, endpoint, operation, parts, body).await {
        Ok(ordered) => answer(doors, ordered).await,
        Err(problem) => problem.response(),
    }
}

/// A call, and where it goes.
pub(super) struct Ordered {
    pub(super) target: Arc<Target>,
    pub(super) order: Order,
    pub(super) id: Option<CallId>,
    /// Its share of the memory for requests, until it is over.
    pub(super) room: tokio::sync::OwnedSemaphorePermit,
}

async fn order(
    doors: &Arc<Doors>,
    endpoint: Option<&str>,
    operation: Operation,
    mut parts: Parts,
    body: Body,
) -> Result<Ordered, Problem> {
    check_size(&parts.headers)?;
    let client = doors.keys.check(&parts.headers)?;
    let body = read(&parts.headers, body, doors.max_body).await?;
    let room = doors.room(body.len())?;
    let invalid = |message: String| Problem::rejected(StatusCode::BAD_REQUEST, message);
    let peek = RequestPeek::of(&body).map_err(invalid)?;
    let target = match endpoint {
        Some(name) => doors.named(client, name)?,
        None => doors.serving(client, peek.model.as_deref())?,
    };
    let headers = &parts.headers;
    let deadline = header::number(headers, &header::DEADLINE_MS);
    let deadline = deadline.map(|ms| Duration::from_millis(ms).min(MAX_DEADLINE));
    let arrived = Instant::now();
    let stream = peek.stream.unwrap_or(false);
    let records = header::word(headers, &header::RECORD).and_then(header::read_records);
    let records = records.unwrap_or_default();
    let job = header::word(headers, &header::JOB).filter(|job| job.len() <= MAX_JOB);
    // A client cannot have its calls booked to another by naming a job.
    let job = match (doors.keys.name(client), job) {
        (Some(client), Some(job)) => format!("{client}/{job}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => NO_JOB.to_owned(),
    };
    let order = Order {
        operation,
        stream,
        input: peek.input(),
        // Each item of a list may be as long.
        limit: peek.limit().map(|limit| limit * records.len().max(1) as f64),
        prefix: if target.affinity { peek.prefix() } else { 0 },
        idempotent: !stream
            && (operation == Operation::Embeddings || peek.temperature == Some(0.0)),
        job: job.into(),
        client,
        stage: header::number(headers, &header::STAGE).and_then(|stage| stage.try_into().ok()),
        lane: header::word(headers, &header::LANE).and_then(Lane::parse).unwrap_or_default(),
        records,
        cache: header::word(headers, &header::CACHE)
            .and_then(CacheMode::parse)
            .unwrap_or(doors.cache),
        announces: headers.contains_key(header::WORKER),
        arrived,
        deadline: arrived + deadline.unwrap_or(DEFAULT_DEADLINE),
        has_deadline: deadline.is_some(),
        onward: if target.leads_to_gateway() { onward(headers) } else { HeaderMap::new() },
        content_type: None,
        body: Bytes::new(),
    };
    let id = header::word(headers, &header::CALL).and_then(CallId::parse);
    let target = target.clone();
    let order = Order { content_type: parts.headers.remove(CONTENT_TYPE), body, ..order };
    Ok(Ordered { target, order, id, room })
}

/// What a gateway further on is told of the call besides its deadline and records.
fn onward(headers: &HeaderMap) -> HeaderMap {
    let told = [header::JOB, header::STAGE, header::TASK, header::LANE, header::CACHE];
    let known = told.into_iter().filter_map(|name| {
        let value = headers.get(&name)?.clone();
        Some((name, value))
    });
    known.collect()
}

async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let message = format!("the request is larger than {most} bytes");
        Problem::rejected(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    if header::number(headers, &CONTENT_LENGTH).is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, most)).await {
        Ok(Ok(body)) => Ok(body),
        // Either too long or broken off; who broke it off does not read the answer.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let message = "the request did not arrive whole in time";
            Err(Problem::rejected(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}
