//! `burn`: keep a core busy for a drawn time; the synthetic cost of load experiments.
//!
//! The time is drawn from the seed and the task's number, not from a shared generator, so the same
//! task costs the same on every worker and under every scheduling policy.

use std::time::{Duration, Instant};

use sage_core::distribution::{Distribution, Drawn};
use sage_core::expr::EvalError;
use sage_core::record::{Datum, pack};
use sage_dsl::catalog::{Cost, EndpointUse, Kind, Param, Signature, StageClass, StageSpec};
use sage_dsl::plan::{Argument, Expr};
use sage_dsl::types::Type;

use super::{Build, LocalStage, Row, Stage, StageEntry};
use crate::error::DataflowError;
use crate::seeds;

pub(super) static ENTRY: StageEntry = StageEntry {
    spec: StageSpec {
        signature: Signature {
            name: "burn",
            summary: "keep a core busy for a drawn time; its column is that time",
            params: &[Param {
                name: "cost",
                kind: Kind::Distribution,
                default: None,
                doc: "a duration, or constant(d), uniform(a, b), exponential(mean), lognormal(mean, cv)",
            }],
            example: "stage work = burn(lognormal(20ms, 0.5))",
            takes_fields: false,
        },
        options: &[Param {
            name: "seed",
            kind: Kind::Int,
            default: Some("0"),
            doc: "seed of the draws; the run's seed is added",
        }],
        result: |_| Ok(Type::Duration),
        calls: EndpointUse::None,
        class: StageClass::Compute,
        cost: Cost { fixed_us: 0.0, per_unit: Some(("cost", 1.0)) },
    },
    build,
};

struct Burn {
    cost: Drawn,
}

fn build(build: &Build<'_>) -> Result<Stage, DataflowError> {
    let cost = build.stage.args.iter().find(|(name, _)| name == "cost");
    let Some((_, Argument::Expr(Expr::Literal(value)))) = cost else {
        return Err(build.broken("`cost` is no constant"));
    };
    let distribution = Distribution::from_value(value).map_err(|message| build.broken(&message))?;
    let cost = Drawn::plain(distribution, seeds::of_stage(build.stage));
    Ok(Stage::Local(Box::new(Burn { cost })))
}

impl LocalStage for Burn {
    fn apply(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        let end = Instant::now() + Duration::from_nanos(self.cost.ns(row.task));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        self.foresee(row, out)
    }

    fn busy_ns(&self, row: Row<'_, '_>) -> Option<u64> {
        Some(self.cost.ns(row.task))
    }

    fn foresee(&self, row: Row<'_, '_>, out: &mut Vec<u8>) -> Result<(), EvalError> {
        pack(out, Datum::Int(i64::try_from(self.cost.ns(row.task)).unwrap_or(i64::MAX)));
        Ok(())
    }
}
