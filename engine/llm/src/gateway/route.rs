//! Paths, keys and bodies: from an HTTP request to a call of one upstream.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::{get, post};
use bytes::Bytes;
use sage_core::endpoint::ErrorClass;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::attempt::{Outgoing, pass_on};
use super::config::GatewayConfig;
use super::error::suggest;
use super::forward::{DEFAULT_DEADLINE, Incoming, forward};
use super::header;
use super::peek::RequestPeek;
use super::problem::Problem;
use super::target::Target;
use super::{GatewayError, transport};

/// Largest request.
const MAX_BODY: usize = 16 << 20;
/// Memory for the requests of all calls that wait or are under way, in KiB. The lines bound their
/// number; only this bounds their size.
const ROOM_KIB: usize = 1 << 20;
/// Longest time for a request to arrive whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A day: more would not be a deadline, and could overflow the clock.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 3600);
/// The job of calls that name none.
const NO_JOB: &str = "(none)";

/// All endpoints, and the key to them.
pub(super) struct Doors {
    targets: Vec<Arc<Target>>,
    token: Option<String>,
    room: Arc<Semaphore>,
}

#[derive(Clone, Copy)]
enum Operation {
    Chat,
    Completions,
    Embeddings,
}

impl Doors {
    pub(super) fn new(config: GatewayConfig) -> Result<Doors, GatewayError> {
        let mut names = HashSet::new();
        for upstream in &config.upstreams {
            let name = &upstream.name;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if name.is_empty() || !name.chars().all(plain) {
                let message = format!("endpoint name `{name}` cannot stand in a path");
                return Err(GatewayError::Config(message));
            }
            if !names.insert(name) {
                return Err(GatewayError::Config(format!("two endpoints are called `{name}`")));
            }
        }
        if config.upstreams.is_empty() {
            return Err(GatewayError::Config("a gateway needs at least one upstream".into()));
        }
        let targets =
            config.upstreams.into_iter().map(|upstream| Target::new(upstream).map(Arc::new));
        let targets = targets.collect::<Result<_, _>>()?;
        Ok(Doors { targets, token: config.token, room: Arc::new(Semaphore::new(ROOM_KIB)) })
    }

    pub(super) fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.token else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
        if same(given, token.as_bytes()) {
            return Ok(());
        }
        let message = "missing or wrong bearer token";
        Err(Problem::rejected(StatusCode::UNAUTHORIZED, message))
    }

    fn named(&self, name: &str) -> Result<&Arc<Target>, Problem> {
        self.targets.iter().find(|target| target.name == name).ok_or_else(|| {
            let (known, hint) = suggest(name, self.targets.iter().map(|t| t.name.as_str()));
            let message = format!("no endpoint `{name}`; there is {known}{hint}");
            Problem::rejected(StatusCode::NOT_FOUND, message)
        })
    }

    /// The upstream of a call that names none.
    fn serving(&self, model: Option<&str>) -> Result<&Arc<Target>, Problem> {
        if let [only] = self.targets.as_slice() {
            return Ok(only);
        }
        let model = model.unwrap_or_default();
        self.targets.iter().find(|target| target.model == model).ok_or_else(|| {
            let (known, hint) = suggest(model, self.targets.iter().map(|t| t.model.as_str()));
            let message = format!("no endpoint serves model `{model}`; there is {known}{hint}");
            Problem::rejected(StatusCode::NOT_FOUND, message)
        })
    }
}

/// Comparison in a time that does not tell how much of a guess is right.
fn same(given: &[u8], expected: &[u8]) -> bool {
    given.len() == expected.len()
        && given.iter().zip(expected).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

pub(super) fn router(doors: Arc<Doors>) -> Router {
    let mut router = Router::new().route("/health", get(|| async { StatusCode::OK }));
    for (path, operation) in [
        ("chat/completions", Operation::Chat),
        ("completions", Operation::Completions),
        ("embeddings", Operation::Embeddings),
    ] {
        let named = move |State(doors): State<Arc<Doors>>,
                          Path(name): Path<String>,
                          request: Request| async move {
            answer(&doors, Some(&name), operation, request).await
        };
        let plain = move |State(doors): State<Arc<Doors>>, request: Request| async move {
            answer(&doors, None, operation, request).await
        };
        router = router
            .route(&format!("/e/{{endpoint}}/v1/{path}"), post(named))
            .route(&format!("/v1/{path}"), post(plain));
    }
    let named_models = |State(doors): State<Arc<Doors>>,
                        Path(name): Path<String>,
                        headers: HeaderMap| async move {
        models(&doors, Some(&name), &headers).await.unwrap_or_else(|problem| problem.response())
    };
    let plain_models = |State(doors): State<Arc<Doors>>, headers: HeaderMap| async move {
        models(&doors, None, &headers).await.unwrap_or_else(|problem| problem.response())
    };
    let missing = |request: Request| async move {
        let message = format!("no operation {} {}", request.method(), request.uri().path());
        Problem::rejected(StatusCode::NOT_FOUND, message).response()
    };
    router
        .route("/e/{endpoint}/v1/models", get(named_models))
        .route("/v1/models", get(plain_models))
        .fallback(missing)
        .method_not_allowed_fallback(|| async {
            let message = "this operation wants another method";
            Problem::rejected(StatusCode::METHOD_NOT_ALLOWED, message).response()
        })
        .with_state(doors)
}

async fn answer(
    doors: &Doors,
    endpoint: Option<&str>,
    operation: Operation,
    request: Request,
) -> Response<Body> {
    match call(doors, endpoint, operation, request).await {
        Ok((target, incoming, job)) => {
            let job = job.as_ref().and_then(|job| job.to_str().ok()).unwrap_or(NO_JOB);
            forward(target, incoming, job).await
        }
        Err(problem) => problem.response(),
    }
}

async fn call<'a>(
    doors: &'a Doors,
    endpoint: Option<&str>,
    operation: Operation,
    request: Request,
) -> Result<(&'a Arc<Target>, Incoming, Option<HeaderValue>), Problem> {
    let (mut parts, body) = request.into_parts();
    doors.check_key(&parts.headers)?;
    let body = read(&parts.headers, body).await?;
    let kib = (body.len() >> 10) as u32 + 1;
    let room = doors.room.clone().try_acquire_many_owned(kib).map_err(|_| {
        Problem::full(format!("the calls under way fill {} MiB; retry later", ROOM_KIB >> 10))
    })?;
    let invalid = |message: String| Problem::rejected(StatusCode::BAD_REQUEST, message);
    let peek = RequestPeek::of(&body).map_err(invalid)?;
    let target = match endpoint {
        Some(name) => doors.named(name)?,
        None => doors.serving(peek.model.as_deref())?,
    };
    let url = match operation {
        Operation::Chat => &target.chat,
        Operation::Completions => &target.completions,
        Operation::Embeddings => &target.embeddings,
    };
    let (stream, estimate) = (peek.stream.unwrap_or(false), peek.estimate(&body));
    let deadline = header::number(&parts.headers, &header::DEADLINE_MS);
    let content_type = parts.headers.remove(CONTENT_TYPE);
    let outgoing = Outgoing { url: url.clone(), content_type, stream, body };
    let deadline = deadline.map(|ms| Duration::from_millis(ms).min(MAX_DEADLINE));
    let incoming = Incoming { outgoing, estimate, deadline, _room: room };
    Ok((target, incoming, parts.headers.remove(header::JOB)))
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let too_large = || {
        let message = format!("the request is larger than {} MiB", MAX_BODY >> 20);
        Problem::rejected(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    if header::number(headers, &CONTENT_LENGTH).is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        // Either too long or broken off; who broke it off does not read the answer.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let message = "the request did not arrive whole in time";
            Err(Problem::rejected(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
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

/// The upstream's own list if it is clear which; else the models the gateway leads to.
async fn models(
    doors: &Doors,
    endpoint: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    doors.check_key(headers)?;
    let target = match (endpoint, doors.targets.as_slice()) {
        (Some(name), _) => doors.named(name)?,
        (None, [only]) => only,
        (None, targets) => {
            let entry = |target: &'_ Arc<Target>| target.model.clone();
            let names: Vec<String> = targets.iter().map(entry).collect();
            let model = |id| Model { id, object: "model", created: 0, owned_by: "sage-flow" };
            let data = names.iter().map(|name| model(name.as_str())).collect();
            let body = serde_json::to_vec(&Models { object: "list", data }).unwrap_or_default();
            let mut response = Response::new(Body::from(body));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            return Ok(response);
        }
    };
    let deadline = header::number(headers, &header::DEADLINE_MS).map(Duration::from_millis);
    let request = target
        .client
        .get(target.models.clone())
        .headers(target.headers.clone())
        .timeout(deadline.unwrap_or(DEFAULT_DEADLINE).min(DEFAULT_DEADLINE));
    let response = request.send().await.map_err(|error| {
        let class = if error.is_connect() {
            ErrorClass::Unreachable
        } else if error.is_timeout() {
            ErrorClass::Timeout
        } else {
            ErrorClass::Server
        };
        Problem::new(class, format!("{}: {}", target.url, transport::describe(error)))
    })?;
    let (parts, body) = Response::from(response).into_parts();
    Ok(pass_on(&parts, Body::new(body)))
}
