//! Gathers what a program may name from the registries of all crates.

use std::sync::LazyLock;

use sage_dsl::catalog::{Catalog, ColumnName};

static PROFILES: LazyLock<Vec<&'static str>> = LazyLock::new(|| sage_core::vllm::names().collect());

/// Every simulated server embeds, too.
static MODELS: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let embedders = sage_core::vllm::EMBEDDERS.iter().map(|embedder| embedder.model);
    let profiles = sage_core::vllm::PROFILES.iter();
    let served = profiles.flat_map(|profile| {
        let models = std::iter::once(profile.model.as_ref()).chain(embedders.clone());
        models.map(|model| (profile.name.as_ref(), model))
    });
    served.collect()
});

static COLUMNS: LazyLock<Vec<ColumnName>> = LazyLock::new(|| {
    sage_lab::results::COLUMNS.iter().map(|column| (column.name, column.aliases)).collect()
});

/// The catalog of this binary.
pub(crate) fn catalog() -> Catalog {
    Catalog {
        stages: sage_dataflow::stages::SPECS,
        sources: sage_dataflow::sources::SIGNATURES,
        documents: sage_retrieval::documents::SIGNATURES,
        sinks: sage_dataflow::sinks::SIGNATURES,
        policies: sage_core::policies::signatures(),
        profiles: &PROFILES,
        models: &MODELS,
        columns: &COLUMNS,
        own_files: &crate::run::report::OWN_FILES,
    }
}
