//! `map`: a column computed by an expression. `stage x = .a + 1` is short for `map(.a + 1)`.

use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};

use super::{Build, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "map",
            summary: "a column computed by an expression",
            params: &[Param {
                name: "value",
                kind: Kind::Any,
                default: None,
                doc: "any expression over the record's columns",
            }],
            example: "stage size = map(length(.text))",
            takes_fields: false,
        },
        options: &[],
        result: |types| Ok(types[0].clone()),
        calls: EndpointUse::None,
        class: StageClass::Cheap,
        cost: Cost { fixed_us: 0.3, per_unit: None },
    },
    build,
};

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    Ok(Stage::Map(build.program("value")?))
}
