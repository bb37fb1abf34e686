//! Models in this process, loaded where an address says `local:FOLDER`.
//!
//! An embedding server on the loopback stands before each, so that its calls go through the gateway
//! like all others: with limits, a journal and figures. The vectors are kept in the user's cache, by
//! the content of their texts, so a collection is embedded once and then only its changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use sage_llm::vectors::{VectorServer, serve_vectors};
use sage_retrieval::LocalEmbedder;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::exit::usage;
use crate::run::kept_vectors;

/// How the address of such a model begins.
pub(crate) const LOCAL: &str = "local:";

/// Loaded models with their servers, alive as long as this is.
#[derive(Default)]
pub(super) struct LocalModels {
    running: BTreeMap<(String, String), String>,
    tasks: JoinSet<()>,
    stopped: Arc<AtomicBool>,
}

impl LocalModels {
    /// The address of a server for the model in `folder`, under the name `model`; loads it if it is
    /// not there yet.
    pub(super) async fn resolve(&mut self, folder: &str, model: &str) -> anyhow::Result<String> {
        let key = (folder.to_owned(), model.to_owned());
        if let Some(address) = self.running.get(&key) {
            return Ok(address.clone());
        }
        let kept = kept_vectors::folder();
        let embedder = LocalEmbedder::open(Path::new(folder), kept.as_deref());
        let embedder = Mutex::new(embedder.map_err(usage)?);
        let stopped = Arc::clone(&self.stopped);
        let embed = move |texts: &[&str]| {
            let mut embedder = embedder.lock().unwrap_or_else(PoisonError::into_inner);
            let vectors = embedder.embed(texts, |_, _| !stopped.load(Ordering::Relaxed));
            vectors.map_err(|error| error.to_string())
        };
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("cannot take a loopback port for the model in this process")?;
        let address = format!("http://{}", listener.local_addr()?);
        let server = VectorServer { model: model.to_owned(), embed: Arc::new(embed) };
        self.tasks.spawn(async move {
            // It serves until the set is dropped; an error has shown itself as a failed call.
            let _ = serve_vectors(server, listener).await;
        });
        self.running.insert(key, address.clone());
        Ok(address)
    }
}

impl Drop for LocalModels {
    fn drop(&mut self) {
        // A batch that is being embedded is the last one.
        self.stopped.store(true, Ordering::Relaxed);
    }
}
