//! Gathers what a program may name from the registries of all crates.

use std::sync::LazyLock;

use sage_dsl::catalog::{Catalog, ColumnName};

static PROFILES: LazyLock<Vec<&'static str>> = LazyLock::new(|| sage_core::vllm::names().collect());

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
        columns: &COLUMNS,
        own_files: &crate::run::report::OWN_FILES,
    }
}
