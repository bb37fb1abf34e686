//! `embed`: a vector for a text, by an endpoint or by the built-in hashed vectors.

use sage_core::expr::{EvalError, Program};
use sage_core::record::pack_vector;
use sage_core::text::hashed_vector;
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::types::Type;

use super::options::{BATCH_TOKENS, CACHE, LANE, MOST_ITEMS};
use super::{Ask, Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "embed",
            summary: "a vector for a text, by an endpoint or by the built-in hashed vectors",
            params: &[Param {
                name: "text",
                kind: Kind::String,
                default: None,
                doc: "what the vector stands for",
            }],
            example: "stage qvec = embed(.text) on embedder { batch: 64, linger: 5ms }",
            takes_fields: false,
        },
        options: &[
            Param {
                name: "batch",
                kind: Kind::Count(1, MOST_ITEMS),
                default: Some("16"),
                doc: "most texts in one call",
            },
            BATCH_TOKENS,
            Param {
                name: "linger",
                kind: Kind::Duration,
                default: Some("2ms"),
                doc: "longest time a text waits for others",
            },
            Param {
                name: "timeout",
                kind: Kind::Duration,
                default: Some("30s"),
                doc: "longest time until the answer: waiting for others and all tries together",
            },
            CACHE,
            LANE,
        ],
        result: |_| Ok(Type::Vector(None)),
        calls: EndpointUse::Embed,
        class: StageClass::Wait,
        cost: Cost { fixed_us: 7.0, per_unit: None },
    },
    build,
};

/// Length of the built-in vectors.
pub const HASHED_DIMENSIONS: usize = 384;

struct Hashed(Program);

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    if build.stage.endpoint.is_some() {
        return build.call("text", Ask::Embed, None);
    }
    Ok(Stage::Local(Box::new(Hashed(build.program("text")?))))
}

impl LocalStage for Hashed {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        pack_vector(out, &hashed_vector(row.text(&self.0)?, HASHED_DIMENSIONS));
        Ok(())
    }
}
