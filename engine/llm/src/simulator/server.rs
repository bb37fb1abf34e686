//! Puts the server together: engines, routes, and what handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use sage_core::vllm::{EMBEDDERS, EmbedEngine, Embedder, Engine, Profile, Request, Scheduling};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::config::SimulatorConfig;
use super::driver::{Handle, driver};
use super::fault::Active;
use super::guard::guard;
use super::problem::Problem;
use super::socket::{Connection, Door};
use super::url::valid_speed;
use super::vocabulary::Vocabulary;
use super::{SimulatorError, admin, chat, completion, embedding, metrics, model, tokenize};

/// Longest request body, bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What handlers share.
#[derive(Debug)]
pub(super) struct Server {
    config: SimulatorConfig,
    generator: Handle<Request>,
    embedders: Vec<(&'static Embedder, Handle<u64>)>,
    clock: Clock,
    faults: Arc<Active>,
    vocabulary: Vocabulary,
    numbers: AtomicU64,
    load: AtomicUsize,
    stop: watch::Receiver<bool>,
    /// Start of the server, seconds since 1970.
    pub(super) started: u64,
}

impl Server {
    pub(super) fn config(&self) -> &SimulatorConfig {
        &self.config
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.config.profile
    }

    /// The name of the generating model.
    pub(super) fn model(&self) -> &str {
        &self.config.profile.model
    }

    pub(super) fn seed(&self) -> u64 {
        self.config.seed
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    pub(super) fn faults(&self) -> &Active {
        &self.faults
    }

    pub(super) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Requests that are being answered.
    pub(super) fn load(&self) -> &AtomicUsize {
        &self.load
    }

    pub(super) fn priority_scheduling(&self) -> bool {
        self.profile().scheduling == Scheduling::Priority
    }

    pub(super) fn generator(&self) -> &Handle<Request> {
        &self.generator
    }

    /// A number for the id of an answer.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Wait until the server stops.
    pub(super) async fn stopped(&self) {
        // The sender is gone: it has stopped too.
        let _ = self.stop.clone().wait_for(|stopped| *stopped).await;
    }

    /// All names of the generating model.
    pub(super) fn generator_names(&self) -> impl Iterator<Item = &str> {
        let more = self.config.served_models.iter().map(String::as_str);
        std::iter::once(self.model()).chain(more)
    }

    /// The name that the answer repeats; without one the only model is meant.
    pub(super) fn generator_model(&self, asked: Option<String>) -> Result<String, Problem> {
        let Some(asked) = asked else { return Ok(self.model().to_owned()) };
        let known = self.generator_names().any(|name| name == asked);
        if known { Ok(asked) } else { Err(Problem::unknown_model(&asked)) }
    }

    /// The context of the model of that name.
    pub(super) fn max_model_len(&self, asked: Option<&str>) -> Result<u32, Problem> {
        let generates = asked.is_none_or(|asked| self.generator_names().any(|name| name == asked));
        if generates {
            return Ok(self.profile().max_model_len);
        }
        self.embedder(asked).map(|(embedder, _)| embedder.max_model_len)
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
    let context = config.profile.max_model_len;
    let (generator, task) = driver(Engine::new(&config.profile), context, clock, stop.clone());
    drivers.spawn(task);
    let mut embedders = Vec::with_capacity(EMBEDDERS.len());
    for embedder in EMBEDDERS {
        let engine = EmbedEngine::new(embedder);
        let (handle, task) = driver(engine, embedder.max_model_len, clock, stop.clone());
        drivers.spawn(task);
        embedders.push((embedder, handle));
    }
    let faults = Arc::new(Active::new(config.fault.clone(), config.seed));
    let door = Door::new(listener, Arc::clone(&faults), clock, config.admin);
    let server = Arc::new(Server {
        config,
        generator,
        embedders,
        clock,
        faults,
        vocabulary: Vocabulary::default(),
        numbers: AtomicU64::new(1),
        load: AtomicUsize::new(0),
        stop,
        started: super::wire::unix_seconds(),
    });
    let shutdown = async move {
        shutdown.await;
        stopper.send_replace(true);
    };
    let service = router(server).into_make_service_with_connect_info::<Connection>();
    axum::serve(door, service).with_graceful_shutdown(shutdown).await.map_err(SimulatorError::Serve)
}

fn router(server: Arc<Server>) -> Router {
    let ping: MethodRouter<Arc<Server>> = get(model::health).post(model::health);
    let mut router = Router::new()
        .route("/v1/chat/completions", post(chat::chat))
        .route("/v1/completions", post(completion::completion))
        .route("/v1/embeddings", post(embedding::embedding))
        .route("/v1/models", get(model::models))
        .route("/tokenize", post(tokenize::tokenize))
        .route("/detokenize", post(tokenize::detokenize))
        .route("/health", get(model::health))
        .route("/ping", ping)
        .route("/load", get(model::load))
        .route("/version", get(model::version))
        .route("/metrics", get(metrics::metrics));
    if server.config.admin {
        router = router.route("/admin/faults", get(admin::show).post(admin::change));
    }
    router
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), guard))
        .with_state(server)
}
