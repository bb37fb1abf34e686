//! `chunk`: a long text as pieces of a size, to be worked on one by one.
//!
//! It only computes, so behind it `flat_map` makes a record of each piece while the source is read. How
//! a text is cut is the business of [`sage_core::text::pieces`], as it is for the passages of an index.

use sage_core::expr::{EvalError, Program};
use sage_core::record::{Datum, pack, pack_list};
use sage_core::text::{Units, pieces};
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::plan::{Argument, Expr};
use sage_dsl::types::{Type, Value};

use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "chunk",
            summary: "a long text as a list of pieces of a size, cut between paragraphs, sentences or words",
            params: &[
                Param { name: "text", kind: Kind::String, default: None, doc: "what is cut" },
                Param {
                    name: "by",
                    kind: Kind::Word(&["paragraphs", "sentences", "tokens"]),
                    default: Some("paragraphs"),
                    doc: "what stays whole: paragraphs as long as they fit, sentences, or only words",
                },
                Param {
                    name: "size",
                    kind: Kind::Tokens,
                    default: Some("200 tokens"),
                    doc: "most tokens of a piece, unless a single word has more",
                },
                Param {
                    name: "overlap",
                    kind: Kind::Tokens,
                    default: Some("0 tokens"),
                    doc: "tokens that are repeated at the beginning of the next piece; at most half of the size",
                },
            ],
            example: "stage parts = chunk(.text, by: sentences, size: 800 tokens, overlap: 80 tokens)",
            takes_fields: false,
        },
        options: &[],
        result: |_| Ok(Type::List(Box::new(Type::String))),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: Cost { fixed_us: 1.0, per_unit: Some(("text", 0.03)) },
    },
    build,
};

struct Chunk {
    text: Program,
    units: Units,
    size: Program,
    overlap: Program,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let by = build.stage.args.iter().find(|(name, _)| name == "by");
    let units = match by {
        Some((_, Argument::Expr(Expr::Literal(Value::String(by))))) => match by.as_str() {
            "sentences" => Units::Sentences,
            "tokens" => Units::Words,
            _ => Units::Paragraphs,
        },
        _ => return Err(build.broken("the plan does not say between what it cuts")),
    };
    let (text, size) = (build.program("text")?, build.program("size")?);
    Ok(Stage::Local(Box::new(Chunk { text, units, size, overlap: build.program("overlap")? })))
}

impl LocalStage for Chunk {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let (size, overlap) = (row.count(&self.size)?, row.count(&self.overlap)?);
        let text = row.text(&self.text)?;
        let found = pieces(text, self.units, size as u64, overlap as u64);
        pack_list(out, |out| {
            found.into_iter().for_each(|piece| pack(out, Datum::Str(&text[piece])));
        });
        Ok(())
    }
}
