//! `sleep`: wait without using a core; stands for a slow service in tests of a schedule.

use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::types::Type;

use super::{Build, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "sleep",
            summary: "wait without using a core; its column is the time waited for",
            params: &[Param {
                name: "time",
                kind: Kind::Duration,
                default: None,
                doc: "how long, per record",
            }],
            example: "stage pause = sleep(20ms)",
            takes_fields: false,
        },
        options: &[],
        result: |_| Ok(Type::Duration),
        calls: EndpointUse::None,
        class: StageClass::Wait,
        cost: Cost { fixed_us: 0.0, per_unit: Some(("time", 1.0)) },
    },
    build,
};

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    Ok(Stage::Wait(build.program("time")?))
}
