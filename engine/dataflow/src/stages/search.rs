//! `search`: the documents of an index nearest to a text. Embed and retrieve in one step, with the
//! built-in vectors.

use std::sync::Arc;

use sage_core::expr::{EvalError, Program};
use sage_core::index::{Index, Query};
use sage_core::text::hashed_vector;
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};

use super::hits::{hits_of, pack_hits};
use super::wanted::Wanted;
use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "search",
            summary: "the documents of an index nearest to a text",
            params: &[
                Param { name: "index", kind: Kind::Index, default: None, doc: "where to look" },
                Param { name: "text", kind: Kind::String, default: None, doc: "what to look for" },
                Param { name: "k", kind: Kind::Int, default: Some("10"), doc: "how many documents" },
                Param {
                    name: "where",
                    kind: Kind::Documents,
                    default: Some("null"),
                    doc: "a condition that a document has to meet, as in `docs.lang == .lang`",
                },
            ],
            example: "stage hits = search(docs, .text, k: 5)",
            takes_fields: false,
        },
        options: &[],
        result: |types| hits_of(&types[0]),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        // A unit is a document with a vector of 384 numbers; see `demand/cost.rs`.
        cost: Cost { fixed_us: 20.0, per_unit: Some(("index", 0.11)) },
    },
    build,
};

struct Search {
    index: Arc<dyn Index>,
    /// Whether the index's vectors are the built-in ones; vectors of an endpoint's model cannot be
    /// compared with them, so such an index is searched by words alone.
    hashed: bool,
    text: Program,
    k: Program,
    wanted: Wanted,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let (position, index) = build.index("index")?;
    let hashed = build.plan.indexes.get(position).is_some_and(|plan| plan.embedder.is_none());
    let (text, k) = (build.program("text")?, build.program("k")?);
    let wanted = Wanted::of(build)?;
    Ok(Stage::Local(Box::new(Search { index, hashed, text, k, wanted })))
}

impl LocalStage for Search {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let text = row.text(&self.text)?;
        let current = self.index.current();
        let index = current.as_deref().unwrap_or(self.index.as_ref());
        let dimensions = index.dimensions();
        let vector = (self.hashed && dimensions > 0).then(|| hashed_vector(text, dimensions));
        let query = Query { text: Some(text), vector: vector.as_deref() };
        let k = row.count(&self.k)?;
        let hits = self.wanted.search(row, index, current.is_some(), query, k)?;
        pack_hits(out, index, &hits);
        Ok(())
    }
}
