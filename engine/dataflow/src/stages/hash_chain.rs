//! `hash_chain`: hash a text over and over; a CPU load with a result that can be checked.
//!
//! FNV-1a over the previous round's eight bytes, seeded by the text: cheap per round, impossible to
//! skip, the same on every machine.

use sage_core::expr::{EvalError, Program};
use sage_core::record::{Datum, pack};
use sage_core::text::fnv1a;
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::types::Type;

use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "hash_chain",
            summary: "hash a text over and over: a CPU load whose result can be checked",
            params: &[
                Param {
                    name: "text",
                    kind: Kind::String,
                    default: None,
                    doc: "what the chain starts from",
                },
                Param {
                    name: "rounds",
                    kind: Kind::Int,
                    default: Some("10_000"),
                    doc: "length of the chain",
                },
            ],
            example: "stage digest = hash_chain(.text, rounds: 10_000)",
            takes_fields: false,
        },
        options: &[],
        result: |_| Ok(Type::String),
        calls: EndpointUse::None,
        class: StageClass::Compute,
        cost: Cost { fixed_us: 0.5, per_unit: Some(("rounds", 0.012)) },
    },
    build,
};

struct HashChain {
    text: Program,
    rounds: Program,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let (text, rounds) = (build.program("text")?, build.program("rounds")?);
    Ok(Stage::Local(Box::new(HashChain { text, rounds })))
}

/// `rounds` rounds from `text`.
fn chain(text: &str, rounds: usize) -> u64 {
    (0..rounds).fold(fnv1a(text.as_bytes()), |digest, _| fnv1a(&digest.to_le_bytes()))
}

impl LocalStage for HashChain {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let (text, rounds) = (row.text(&self.text)?, row.count(&self.rounds)?);
        let digest = chain(text, rounds);
        pack(out, Datum::Str(&format!("{digest:016x}")));
        Ok(())
    }

    fn stand_in(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        row.text(&self.text)?;
        row.count(&self.rounds)?;
        pack(out, Datum::Str("0000000000000000"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_the_same_everywhere() {
        assert_eq!(chain("", 0), 0xcbf2_9ce4_8422_2325);
        assert_eq!(chain("task 1", 2), fnv1a(&chain("task 1", 1).to_le_bytes()));
    }
}
