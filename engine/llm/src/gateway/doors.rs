//! All endpoints of a gateway and what its calls share.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::StatusCode;
use sage_core::endpoint::CacheMode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::GatewayError;
use super::calls::Calls;
use super::config::GatewayConfig;
use super::error::suggest;
use super::keys::Keys;
use super::problem::Problem;
use super::reuse::Shelves;
use super::target::Target;

/// Memory for the requests of all calls that wait or are under way, in KiB. The lines bound their
/// number; only this bounds their size.
const ROOM_KIB: usize = 1 << 20;

/// See the module.
pub(super) struct Doors {
    targets: Vec<Arc<Target>>,
    pub(super) keys: Keys,
    pub(super) calls: Arc<Calls>,
    pub(super) shelves: Arc<Shelves>,
    /// What holds for calls that say nothing of a cache.
    pub(super) cache: CacheMode,
    /// Largest request, bytes.
    pub(super) max_body: usize,
    room: Arc<Semaphore>,
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
            if !names.insert(name.clone()) {
                return Err(GatewayError::Config(format!("two endpoints are called `{name}`")));
            }
        }
        if config.upstreams.is_empty() {
            return Err(GatewayError::Config("a gateway needs at least one upstream".into()));
        }
        for client in &config.clients {
            if let Some(name) = client.endpoints.iter().find(|name| !names.contains(*name)) {
                let (known, hint) = suggest(name, names.iter().map(String::as_str));
                return Err(GatewayError::Config(format!(
                    "client `{}` may use endpoint `{name}`, which there is not; there is {known}{hint}",
                    client.name
                )));
            }
        }
        let keys = Keys::new(config.token, config.clients)?;
        let shares = keys.shares();
        let targets = config
            .upstreams
            .into_iter()
            .map(|upstream| Target::new(upstream, &shares, &config.jobs).map(Arc::new))
            .collect::<Result<_, _>>()?;
        Ok(Doors {
            targets,
            keys,
            calls: Arc::default(),
            shelves: Arc::new(Shelves::new(config.run, config.journal, config.content)),
            cache: config.cache,
            max_body: config.max_body.clamp(1, ROOM_KIB << 10),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
        })
    }

    pub(super) fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// The endpoints that `client` may use.
    pub(super) fn open(&self, client: Option<usize>) -> impl Iterator<Item = &Arc<Target>> {
        self.targets.iter().filter(move |target| self.keys.opens(client, &target.name))
    }

    /// The endpoint called `name`.
    pub(super) fn named(&self, client: Option<usize>, name: &str) -> Result<&Arc<Target>, Problem> {
        self.open(client).find(|target| target.name == name).ok_or_else(|| {
            let (known, hint) = suggest(name, self.open(client).map(|t| t.name.as_str()));
            let message = format!("no endpoint `{name}`; there is {known}{hint}");
            Problem::rejected(StatusCode::NOT_FOUND, message)
        })
    }

    /// The endpoint of a call that names none.
    pub(super) fn serving(
        &self,
        client: Option<usize>,
        model: Option<&str>,
    ) -> Result<&Arc<Target>, Problem> {
        if let [only] = self.targets.as_slice()
            && self.keys.opens(client, &only.name)
        {
            return Ok(only);
        }
        let model = model.unwrap_or_default();
        self.open(client).find(|target| target.model == model).ok_or_else(|| {
            let (known, hint) = suggest(model, self.open(client).map(|t| t.model.as_str()));
            let message = format!("no endpoint serves model `{model}`; there is {known}{hint}");
            Problem::rejected(StatusCode::NOT_FOUND, message)
        })
    }

    /// Room in memory for a request.
    pub(super) fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kib = (bytes >> 10) as u32 + 1;
        self.room.clone().try_acquire_many_owned(kib.min(ROOM_KIB as u32)).map_err(|_| {
            let message = format!("the calls under way fill {} MiB; retry later", ROOM_KIB >> 10);
            Problem::full(message, 1)
        })
    }
}
