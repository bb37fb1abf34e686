//! `retrieve`: the documents of an index nearest to a vector (and, for a hybrid index, to a text).

use std::sync::Arc;

use sage_core::expr::{EvalError, Program};
use sage_core::index::{Index, Query};
use sage_core::record::Datum;
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::plan::{Argument, Expr, Plan};

use super::hits::{hits_of, pack_hits};
use super::wanted::Wanted;
use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "retrieve",
            summary: "the documents of an index nearest to a vector",
            params: &[
                Param { name: "index", kind: Kind::Index, default: None, doc: "where to look" },
                Param {
                    name: "vector",
                    kind: Kind::Vector,
                    default: None,
                    doc: "usually the column of an `embed` stage; a hybrid index also uses that stage's text",
                },
                Param { name: "k", kind: Kind::Int, default: Some("10"), doc: "how many documents" },
                Param {
                    name: "where",
                    kind: Kind::Documents,
                    default: Some("null"),
                    doc: "a condition that a document has to meet, as in `docs.lang == .lang`",
                },
            ],
            example: "stage hits = retrieve(docs, qvec, k: 10)",
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

struct Retrieve {
    index: Arc<dyn Index>,
    vector: Program,
    text: Option<Program>,
    k: Program,
    wanted: Wanted,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let (_, index) = build.index("index")?;
    let vector = build.program("vector")?;
    // The words behind the vector: a hybrid index searches for both.
    let text = vector.column().and_then(|column| embedded(build.plan, column));
    let text = text.map(|expr| Program::compile(&expr)).transpose();
    let text = text.map_err(|error| build.broken(&error.to_string()))?;
    Ok(Stage::Local(Box::new(Retrieve {
        index,
        vector,
        text,
        k: build.program("k")?,
        wanted: Wanted::of(build)?,
    })))
}

/// The text that a column is the vector of, also where each arm of a route makes one.
fn embedded(plan: &Plan, column: usize) -> Option<Expr> {
    let stage = plan.stages().find(|stage| stage.column == column)?;
    let Some((_, Argument::Expr(argument))) = stage.args.first() else { return None };
    match stage.kind.as_str() {
        "embed" => Some(argument.clone()),
        "map" => text_behind(plan, argument),
        _ => None,
    }
}

fn text_behind(plan: &Plan, vector: &Expr) -> Option<Expr> {
    match vector {
        Expr::Column(column) => embedded(plan, *column),
        Expr::If(condition, yes, no) => {
            let (yes, no) = (text_behind(plan, yes)?, text_behind(plan, no)?);
            Some(Expr::If(condition.clone(), Box::new(yes), Box::new(no)))
        }
        _ => None,
    }
}

impl LocalStage for Retrieve {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let mut floats = Vec::new();
        if let Datum::Vector(vector) = row.get(&self.vector)? {
            floats.extend(vector.iter());
        }
        let text = self.text.as_ref().map(|program| row.text(program)).transpose()?;
        let current = self.index.current();
        let index = current.as_deref().unwrap_or(self.index.as_ref());
        let vector = (floats.len() == index.dimensions()).then_some(floats.as_slice());
        let (query, k) = (Query { text, vector }, row.count(&self.k)?);
        let hits = self.wanted.search(row, index, current.is_some(), query, k)?;
        pack_hits(out, index, &hits);
        Ok(())
    }
}
