//! Indexes for several runs of one process: each is built once and then only read.
//!
//! An experiment runs the same pipeline again and again. Were its indexes a part of each run, they
//! would cost more than the runs, and their calls would have warmed up the endpoint before the first
//! record arrives. So they are built beforehand, by services of their own.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use sage_dsl::plan::{IndexPlan, Plan};
use sage_llm::gateway::JobShares;

use super::execute::Stopped;
use super::indexes::{self, Built};
use super::interrupt::Interrupts;
use super::links::Links;
use super::services::{Kept, Places, Services};

/// Indexes by what they are made of; their files go with this.
pub(crate) struct IndexCache {
    folder: tempfile::TempDir,
    built: HashMap<String, Built>,
}

/// Speed of a simulated endpoint that only makes vectors: they do not depend on it.
const SPEED: &str = "1000";

impl IndexCache {
    /// An empty one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sage-flow-indexes-").tempdir();
        let folder = folder.context("there is no place for the indexes of the experiment")?;
        Ok(IndexCache { folder, built: HashMap::new() })
    }

    /// The indexes of `plan`, in order. Documents are read and vectors made for those alone that no
    /// earlier plan had.
    pub(crate) fn indexes(
        &mut self,
        plan: &Plan,
        interrupts: &Interrupts,
    ) -> anyhow::Result<Vec<Built>> {
        let identities: Vec<String> =
            plan.indexes.iter().map(|index| identity(plan, index)).collect::<Result<_, _>>()?;
        let missing: Vec<usize> =
            (0..identities.len()).filter(|at| !self.built.contains_key(&identities[*at])).collect();
        if !missing.is_empty() {
            let mut part = fast(plan);
            part.indexes = missing.iter().map(|at| plan.indexes[*at].clone()).collect();
            let folder = self.folder.path().join(self.built.len().to_string());
            let built = build(&part, &folder, interrupts);
            let built = match built {
                Err(_) if interrupts.count() > 0 => return Err(Stopped.into()),
                built => built?,
            };
            let made = missing.iter().map(|at| identities[*at].clone()).zip(built);
            self.built.extend(made);
        }
        Ok(identities.iter().filter_map(|identity| self.built.get(identity).cloned()).collect())
    }
}

fn build(plan: &Plan, folder: &Path, interrupts: &Interrupts) -> anyhow::Result<Vec<Built>> {
    let corpora = indexes::read(plan)?;
    let embeds = plan.indexes.iter().any(|index| index.embedder.is_some());
    let services = if embeds {
        let jobs = [("index", plan)];
        let prepared = Services::prepare(&jobs, JobShares::default(), 0, &Links::default())?;
        // What the vectors cost is kept until they are all there.
        let places = Places { journal: Some(folder.join("journal")), content: None };
        prepared.map(|prepared| prepared.open(Kept::open(&[], places)?)).transpose()?
    } else {
        None
    };
    let access = services.as_ref().and_then(|services| services.access(0));
    let built = indexes::build(plan, corpora, folder, access, false, interrupts)?;
    drop(services);
    // Nobody asks for these answers again; the cache has what became of them.
    let _ = std::fs::remove_dir_all(folder.join("journal"));
    Ok(built)
}

/// The plan, with simulated endpoints that do not keep anybody waiting.
fn fast(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for endpoint in &mut plan.endpoints {
        for url in std::iter::once(&mut endpoint.url).chain(&mut endpoint.replicas) {
            if url.starts_with("sim:") {
                *url = format!("{}@{SPEED}", without_speed(url));
            }
        }
    }
    plan
}

pub(super) fn without_speed(url: &str) -> &str {
    // The name of a profile file may hold the sign, too.
    match url.rsplit_once('@') {
        Some((name, speed)) if speed.trim_end_matches('x').parse::<f64>().is_ok() => name,
        _ => url,
    }
}

/// All that an index is made of, but for the contents of its files: those are taken to stay the same
/// while the process lives.
fn identity(plan: &Plan, index: &IndexPlan) -> anyhow::Result<String> {
    let embedder = index.embedder.and_then(|at| plan.endpoints.get(at));
    let embedder = embedder.map(|endpoint| {
        // A simulated model gives the same vectors whatever machine is simulated.
        let simulated = endpoint.url.starts_with("sim:");
        (if simulated { "sim:" } else { endpoint.url.as_str() }, endpoint.model.as_str())
    });
    let plain = IndexPlan { embedder: None, line: 0, ..index.clone() };
    Ok(serde_json::to_string(&(plain, embedder))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_speed_is_taken_off_an_address() {
        for (url, name) in [
            ("sim:a100/qwen2.5-7b@50", "sim:a100/qwen2.5-7b"),
            ("sim:a100/qwen2.5-7b@2.5x", "sim:a100/qwen2.5-7b"),
            ("sim:a100/qwen2.5-7b", "sim:a100/qwen2.5-7b"),
            ("sim:my@home.toml", "sim:my@home.toml"),
            ("sim:my@home.toml@3", "sim:my@home.toml"),
        ] {
            assert_eq!(without_speed(url), name);
        }
    }
}
