//! Indexes of earlier runs, as far as a run can use them.
//!
//! What an index is made of has a fingerprint: its settings, the model of its vectors and every
//! document. A run that finds an index of the same fingerprint takes it, reads no model and waits for
//! nothing; one that finds vectors of the same texts by the same model has the others made. A model
//! is known by the address and the name of its endpoint, one in the process by its files, too.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sage_dsl::plan::{IndexPlan, Plan};
use sage_retrieval::{Fingerprint, IndexStore, KeptVector, Taken, TextHash, text_hash};

use super::index_cache::without_speed;
use super::indexes::{Prepared, embedder};
use super::services::LOCAL;

/// Most bytes of all kept indexes together.
const MOST: u64 = 4 << 30;

/// The kept indexes of the user, if there is a place for them.
pub(crate) fn store() -> Option<IndexStore> {
    let folder = crate::jobs::state()?.join("indexes");
    Some(IndexStore::new(&folder, MOST))
}

/// What a run does with kept indexes.
#[derive(Debug, Clone)]
pub(crate) struct Reuse {
    store: Option<IndexStore>,
    fresh: bool,
}

impl Reuse {
    /// Takes and keeps; when all is to be made anew, only keeps.
    pub(crate) fn of_user(fresh: bool) -> Self {
        Reuse { store: store(), fresh }
    }

    /// Does nothing.
    pub(crate) fn none() -> Self {
        Reuse { store: None, fresh: true }
    }

    pub(super) fn take(&self, identity: &Identity, to: &Path) -> Taken {
        let store = self.store.as_ref().filter(|_| !self.fresh);
        store.map_or(Taken::Missing, |store| store.take(identity.index, to))
    }

    /// Vectors that the same model has made for texts of these documents.
    pub(super) fn vectors(
        &self,
        identity: &Identity,
        documents: &[Prepared],
    ) -> HashMap<TextHash, KeptVector> {
        match (&self.store, identity.maker) {
            (Some(store), Some(maker)) if !self.fresh => store.vectors(maker, &texts(documents)),
            _ => HashMap::new(),
        }
    }

    /// Keeps an index for later runs. One that cannot be kept is said and does no harm.
    pub(super) fn keep(&self, identity: &Identity, from: &Path) -> Option<String> {
        let kept = self.store.as_ref()?.keep(identity.index, from);
        kept.err().map(|error| format!("it is not kept for later runs: {error}"))
    }
}

/// What tells the texts of documents apart.
pub(super) fn texts(documents: &[Prepared]) -> HashSet<TextHash> {
    documents.iter().map(|one| text_hash(&one.text)).collect()
}

/// What an index and its vectors are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) index: Fingerprint,
    pub(super) maker: Option<Fingerprint>,
}

impl Identity {
    pub(super) fn of(
        plan: &Plan,
        index: &IndexPlan,
        documents: &[Prepared],
    ) -> anyhow::Result<Self> {
        let maker = embedder(index).and_then(|at| plan.endpoints.get(at));
        let maker = maker.map(|endpoint| {
            let addresses = std::iter::once(&endpoint.url).chain(&endpoint.replicas);
            let mut parts: Vec<String> = vec![endpoint.model.clone()];
            for url in addresses {
                parts.push(without_speed(url).to_owned());
                parts.extend(url.strip_prefix(LOCAL).map(state_of));
            }
            Fingerprint::of(parts.iter().map(String::as_bytes))
        });
        // Where the documents came from says nothing of what they are.
        let settings = (&index.record, index.key, &index.text, index.search, index.vectors);
        let settings = serde_json::to_vec(&settings)?;
        let made = maker.map_or_else(Vec::new, |maker| format!("{maker:?}").into_bytes());
        let parts = [settings.as_slice(), &made].into_iter().chain(
            documents
                .iter()
                .flat_map(|one| [one.key.as_bytes(), one.text.as_bytes(), one.row.as_slice()]),
        );
        Ok(Identity { index: Fingerprint::of(parts), maker })
    }
}

/// Lengths and times of the files of a model, which are too long to be read for this.
fn state_of(folder: &str) -> String {
    let file = |name: &str| {
        let data = PathBuf::from(folder).join(name).metadata().ok()?;
        let changed = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((data.len(), changed.as_nanos()))
    };
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    format!("{:?}", names.map(file))
}
