//! `filter`: keep the records for which a condition holds; `where` is the usual way to write it.

use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::types::Type;

use super::{Build, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "filter",
            summary: "keep the records for which a condition holds; `where` says the same",
            params: &[Param {
                name: "condition",
                kind: Kind::Bool,
                default: None,
                doc: "records for which it is not true are dropped and count as done",
            }],
            example: "stage kept = filter(length(.text) > 0)",
            takes_fields: false,
        },
        options: &[],
        result: |_| Ok(Type::Bool),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: Cost { fixed_us: 0.2, per_unit: None },
    },
    build,
};

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    Ok(Stage::Keep(build.program("condition")?))
}
