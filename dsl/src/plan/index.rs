//! Collections that a plan retrieves from.

use serde::{Deserialize, Serialize};

use super::Expr;
use crate::types::{RecordType, Value};

/// A retrievable collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexPlan {
    /// Name in the program.
    pub name: String,
    /// Registry name of the source of its documents.
    pub kind: String,
    /// Arguments of that source by name, paths resolved.
    pub args: Vec<(String, Value)>,
    /// The documents' record type; must have a `@key` (or `id`) and the embedded text.
    pub record: RecordType,
    /// Column of the documents' identity.
    pub key: usize,
    /// Text that is indexed: an expression over the document's own columns.
    pub text: Expr,
    /// Endpoint that makes vectors; `None` is the built-in hashed vectors.
    pub embedder: Option<usize>,
    /// How it is searched.
    pub search: SearchPlan,
    /// How the nearest vectors are found.
    #[serde(default, skip_serializing_if = "VectorPlan::is_usual")]
    pub vectors: VectorPlan,
    /// Nanoseconds between two looks at the documents while a run goes on; `None` looks once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_ns: Option<u64>,
    /// 1-based line of the declaration.
    pub line: u32,
}

/// How an index is searched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum SearchPlan {
    /// Words only.
    Bm25,
    /// Vectors only.
    Vector,
    /// Both, by reciprocal rank.
    Rrf,
    /// Both, by weighted normalised scores; the share of the vector side, 0 to 1.
    Weighted(f64),
}

/// How the vectors nearest to another are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VectorPlan {
    /// As fits the number of documents.
    #[default]
    Usual,
    /// By comparing all of them.
    Exact,
    /// By a graph of neighbours (HNSW), which misses a few.
    Hnsw,
}

impl VectorPlan {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_usual(&self) -> bool {
        *self == VectorPlan::Usual
    }
}
