//! Indexes of plans that are simulated: built in this process, once, and then only read.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use sage_core::index::Index;
use sage_core::vllm::embedder;
use sage_dsl::plan::{IndexPlan, Plan};
use sage_llm::simulator::preview;
use sage_retrieval::MappedIndex;

use super::Servers;
use crate::exit::usage;
use crate::run::kept_indexes::Reuse;
use crate::run::{embedding, indexes};

/// Built indexes by what they are made of; their files go with this.
pub(crate) struct Indexes {
    folder: tempfile::TempDir,
    built: HashMap<String, Arc<dyn Index>>,
}

impl Indexes {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sage-flow-twin-").tempdir();
        let folder = folder.context("there is no place for the indexes of the twin")?;
        Ok(Indexes { folder, built: HashMap::new() })
    }

    /// The indexes of `plan`, in order. The files that they are made of are taken to stay the same
    /// while the process lives.
    pub(crate) fn of(
        &mut self,
        plan: &Plan,
        servers: &[Servers],
    ) -> anyhow::Result<Vec<Arc<dyn Index>>> {
        plan.indexes.iter().map(|index| self.one(plan, index, servers)).collect()
    }

    fn one(
        &mut self,
        plan: &Plan,
        index: &IndexPlan,
        servers: &[Servers],
    ) -> anyhow::Result<Arc<dyn Index>> {
        let model = index.embedder.and_then(|at| plan.endpoints.get(at)).map(|e| e.model.as_str());
        let plain = IndexPlan { embedder: None, line: 0, ..index.clone() };
        let identity = serde_json::to_string(&(plain, model))?;
        if let Some(known) = self.built.get(&identity) {
            return Ok(Arc::clone(known));
        }
        let context = || format!("index `{}` (line {})", index.name, index.line);
        let corpus = indexes::read_one(index).with_context(context)?;
        let folder = self.folder.path().join(self.built.len().to_string());
        let embed = |endpoint: usize, texts: &[&str]| vectors(plan, endpoint, servers, texts);
        let built = indexes::assemble(plan, index, &corpus, &folder, &Reuse::none(), embed)
            .with_context(context)?;
        let opened: Arc<dyn Index> = Arc::new(MappedIndex::open(&built.path)?);
        self.built.insert(identity, Arc::clone(&opened));
        Ok(opened)
    }
}

/// The vectors that the simulated endpoint would give.
fn vectors(
    plan: &Plan,
    endpoint: usize,
    servers: &[Servers],
    texts: &[&str],
) -> anyhow::Result<Vec<Vec<f32>>> {
    let name = plan.endpoints.get(endpoint).map_or("", |endpoint| endpoint.name.as_str());
    let model = plan.endpoints.get(endpoint).and_then(|endpoint| embedder(&endpoint.model));
    let model = model.or_else(|| servers.get(endpoint).map(|servers| &servers.embedder));
    let model = model.with_context(|| format!("endpoint `{name}` has no embedding model"))?;
    // As a run does it: of a text that is too long for the model the beginning counts.
    let ask = |texts: Vec<String>| -> anyhow::Result<embedding::Asked> {
        Ok(texts.iter().map(|text| Ok(preview::embedding(model, text)?.0)).collect())
    };
    let failed = |error| usage(format!("endpoint `{name}` cannot make the vectors: {error}"));
    let vector = |text: &&str| -> anyhow::Result<Vec<f32>> {
        let (vector, _) = embedding::beginning(text, &ask)?.map_err(failed)?;
        Ok(vector)
    };
    texts.iter().map(vector).collect()
}
