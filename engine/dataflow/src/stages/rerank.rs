//! `rerank`: put found documents in the order of their likeness to a text and keep the best.

use sage_core::expr::{EvalError, Program};
use sage_core::record::{Items, pack_list};
use sage_core::text::rerank_score;
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};

use super::hits::{pack_rescored, text_field};
use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "rerank",
            summary: "order found documents by likeness to a text and keep the best",
            params: &[
                Param {
                    name: "hits",
                    kind: Kind::Hits,
                    default: None,
                    doc: "found documents; their order before is part of the score",
                },
                Param { name: "text", kind: Kind::String, default: None, doc: "what they should match" },
                Param { name: "keep", kind: Kind::Int, default: Some("5"), doc: "how many to keep" },
            ],
            example: "stage best = rerank(hits, .text, keep: 5)",
            takes_fields: false,
        },
        options: &[],
        result: |types| text_field(&types[0]).map(|_| types[0].clone()),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: Cost { fixed_us: 320.0, per_unit: None },
    },
    build,
};

struct Rerank {
    hits: Program,
    text: Program,
    keep: Program,
    field: usize,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let field = text_field(&build.stage.ty).map_err(|message| build.broken(&message))?;
    let (hits, text, keep) = (build.program("hits")?, build.program("text")?, build.program("keep")?);
    Ok(Stage::Local(Box::new(Rerank { hits, text, keep, field })))
}

impl LocalStage for Rerank {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let query = row.text(&self.text)?;
        let mut scored: Vec<(f32, Items<'_>)> = Vec::new();
        for (rank, hit) in row.get(&self.hits)?.items().enumerate() {
            let hit = hit.items();
            let text = hit.get(self.field).as_str().unwrap_or("");
            scored.push((rerank_score(query, text, rank), hit));
        }
        // A stable sort: equal scores keep the retriever's order.
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.truncate(row.count(&self.keep)?);
        pack_list(out, |out| scored.iter().for_each(|(score, hit)| pack_rescored(out, *hit, *score)));
        Ok(())
    }
}
