//! Puts the server together: engines, routes, and what every request passes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sage_core::vllm::{EMBEDDERS, EmbedEngine, Embedder, Engine, Profile};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::driver::{Handle, driver};
use super::fault::{Effect, Faults};
use super::problem::Problem;
use super::url::valid_speed;
use super::{SimulatorError, chat, completion, embedding, metric, model};

/// Longest request body, bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What is simulated, and how.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Machine and model.
    pub profile: &'static Profile,
    /// Virtual seconds that pass in a second.
    pub speed: f64,
    /// Seed of the texts (where a request brings none) and of the faults.
    pub seed: u64,
    /// Key that calls below `/v1` must bring.
    pub api_key: Option<String>,
    /// Faults on purpose.
    pub fault: Faults,
    /// More names under which the model is served.
    pub served_models: Vec<String>,
}

impl SimulatorConfig {
    /// `profile` in real time, without key, faults or more names.
    pub fn new(profile: &'static Profile) -> Self {
        SimulatorConfig {
            profile,
            speed: 1.0,
            seed: 0,
            api_key: None,
            fault: Faults::default(),
            served_models: Vec::new(),
        }
    }
}

/// What handlers share.
#[derive(Debug)]
pub(super) struct Server {
    config: SimulatorConfig,
    generator: Handle<sage_core::vllm::Request>,
    embedders: Vec<(&'static Embedder, Handle<u64>)>,
    clock: Clock,
    numbers: AtomicU64,
    calls: AtomicU64,
    stop: watch::Receiver<bool>,
    /// Start of the server, seconds since 1970.
    pub(super) started: u64,
}

impl Server {
    pub(super) fn profile(&self) -> &'static Profile {
        self.config.profile
    }

    pub(super) fn seed(&self) -> u64 {
        self.config.seed
    }

    pub(super) fn generator(&self) -> &Handle<sage_core::vllm::Request> {
        &self.generator
    }

    /// A number for the id of an answer.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// All names of the generating model.
    pub(super) fn generator_names(&self) -> impl Iterator<Item = &str> {
        let more = self.config.served_models.iter().map(String::as_str);
        std::iter::once(self.config.profile.model).chain(more)
    }

    /// The name that the answer repeats; without one the only model is meant.
    pub(super) fn generator_model(&self, asked: Option<String>) -> Result<String, Problem> {
        let Some(asked) = asked else { return Ok(self.config.profile.model.to_owned()) };
        let known = self.generator_names().any(|name| name == asked);
        if known { Ok(asked) } else { Err(Problem::unknown_model(&asked)) }
    }

    /// The embedding model of that name; without one the smallest.
    pub(super) fn embedder(
        &self,
        asked: Option<&str>,
    ) -> Result<(&'static Embedder, &Handle<u64>), Problem> {
        let found = match asked {
            Some(name) => self.embedders.iter().find(|(embedder, _)| embedder.model == name),
            None => self.embedders.iter().min_by_key(|(embedder, _)| embedder.dimensions),
        };
        let (embedder, handle) =
            found.ok_or_else(|| Problem::unknown_model(asked.unwrap_or_default()))?;
        Ok((embedder, handle))
    }
}

/// Serve on `listener` until `shutdown` completes; open calls are then answered with 503.
pub async fn serve(
    config: SimulatorConfig,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SimulatorError> {
    if !valid_speed(config.speed) {
        return Err(SimulatorError::Speed(config.speed.to_string()));
    }
    let (stopper, stop) = watch::channel(false);
    let clock = Clock::start(config.speed);
    // Aborts the drivers when this future is dropped.
    let mut drivers = JoinSet::new();
    let (generator, task) = driver(Engine::new(config.profile), clock, stop.clone());
    drivers.spawn(task);
    let mut embedders = Vec::with_capacity(EMBEDDERS.len());
    for embedder in EMBEDDERS {
        let (handle, task) = driver(EmbedEngine::new(embedder), clock, stop.clone());
        drivers.spawn(task);
        embedders.push((embedder, handle));
    }
    let server = Arc::new(Server {
        config,
        generator,
        embedders,
        clock,
        numbers: AtomicU64::new(1),
        calls: AtomicU64::new(0),
        stop,
        started: super::wire::unix_seconds(),
    });
    let shutdown = async move {
        shutdown.await;
        stopper.send_replace(true);
    };
    axum::serve(listener, router(server))
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(SimulatorError::Serve)
}

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(completion::completion))
        .route("/v1/embeddings", post(embedding::embedding))
        .route("/v1/models", get(model::models))
        .route("/health", get(model::health))
        .route("/version", get(model::version))
        .route("/metrics", get(metric::metrics))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "Not Found") })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), admit))
        .layer(middleware::map_response(mark))
        .with_state(server)
}

/// Say on every response where it comes from.
async fn mark(mut response: Response) -> Response {
    response.headers_mut().insert("x-sage-endpoint", HeaderValue::from_static("simulated"));
    response
}

/// Check the key, then let the faults have their turn.
async fn admit(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/v1/");
    if api && !authorized(&server.config, &request) {
        return Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized").into_response();
    }
    if api && request.method() == Method::POST && !server.config.fault.is_empty() {
        let number = server.calls.fetch_add(1, Ordering::Relaxed) + 1;
        for effect in server.config.fault.effects(server.config.seed, number) {
            if let Some(end) = suffer(&server, effect).await {
                return end;
            }
        }
    }
    next.run(request).await
}

fn authorized(config: &SimulatorConfig, request: &Request) -> bool {
    let Some(key) = &config.api_key else { return true };
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|sent| sent.strip_prefix("Bearer ")) == Some(key)
}

/// Apply one fault; returns the answer if the call ends here.
async fn suffer(server: &Server, effect: Effect) -> Option<Response> {
    match effect {
        Effect::Latency(span) => {
            tokio::time::sleep(server.clock.scaled(span)).await;
            None
        }
        Effect::Status(status) => {
            let message = format!("Injected fault: {status}");
            Some(Problem::new(status, message).into_response())
        }
        Effect::Stall => {
            // Until the client leaves, which drops this future, or the server stops.
            let _ = server.stop.clone().wait_for(|stopped| *stopped).await;
            Some(Problem::stopping().into_response())
        }
        Effect::Drop => Some(Response::new(Body::new(Broken))),
    }
}

/// A body that fails at once, upon which the connection is closed before anything is sent.
struct Broken;

impl hyper::body::Body for Broken {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        let error = std::io::Error::other("injected fault: dropped connection");
        std::task::Poll::Ready(Some(Err(error)))
    }
}
