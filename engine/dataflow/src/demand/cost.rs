//! What a stage costs for one record, by the cost model that it declares.

use std::sync::Arc;

use sage_core::distribution::{Distribution, Drawn};
use sage_core::expr::{CompileError, Program};
use sage_core::index::Index;
use sage_dsl::catalog::StageClass;
use sage_dsl::plan::{Argument, Expr, StagePlan};
use sage_dsl::types::Value;

use super::Work;
use crate::cost::units;
use crate::seeds;
use crate::stages::{Row, STAGES};

/// The declared cost of a stage, ready to be evaluated.
pub(super) struct StageCost {
    fixed_ns: f64,
    units: Units,
}

/// What scales the cost.
enum Units {
    None,
    /// A number that is computed from the record, and nanoseconds per unit.
    Computed(Program, f64),
    /// A time that every task draws.
    Drawn(Arc<Drawn>),
}

impl StageCost {
    pub(super) fn of(
        stage: &StagePlan,
        indexes: &[Arc<dyn Index>],
    ) -> Result<StageCost, CompileError> {
        let entry = STAGES.iter().find(|entry| entry.spec.signature.name == stage.kind);
        let mut cost = StageCost { fixed_ns: 0.0, units: Units::None };
        // A stage that waits costs what it waits for; the little beside that is the operator's.
        let Some(entry) =
            entry.filter(|entry| entry.spec.class != StageClass::Wait || stage.endpoint.is_none())
        else {
            return Ok(cost);
        };
        cost.fixed_ns = entry.spec.cost.fixed_us * 1e3;
        let Some((parameter, us_per_unit)) = entry.spec.cost.per_unit else { return Ok(cost) };
        match stage.args.iter().find(|(name, _)| name == parameter) {
            Some((
                _,
                Argument::Expr(Expr::Literal(value @ (Value::Call { .. } | Value::Duration(_)))),
            )) => {
                if let Ok(distribution) = Distribution::from_value(value) {
                    cost.units = Units::Drawn(Arc::new(Drawn {
                        factor: us_per_unit,
                        fixed_ns: cost.fixed_ns,
                        ..Drawn::plain(distribution, seeds::of_stage(stage))
                    }));
                }
            }
            Some((_, Argument::Expr(expr))) => {
                cost.units = Units::Computed(Program::compile(expr)?, us_per_unit * 1e3);
            }
            Some((_, Argument::Index(at))) => {
                let units = indexes.get(*at).map_or(0.0, |index| documents(index.as_ref()));
                cost.fixed_ns += units * us_per_unit * 1e3;
            }
            None => {}
        }
        Ok(cost)
    }

    /// What it takes for the record in `row`. What cannot be evaluated costs nothing: the stage
    /// itself will say what is wrong.
    pub(super) fn work<C>(&self, row: Row<'_, '_>) -> Work<C> {
        let scaled = match &self.units {
            Units::None => 0.0,
            Units::Computed(program, ns) => row.get(program).map_or(0.0, units).max(0.0) * ns,
            Units::Drawn(drawn) => return Work::Drawn(Arc::clone(drawn)),
        };
        Work::Cpu((self.fixed_ns + scaled).clamp(0.0, 1e15) as u64)
    }
}

/// Numbers of a vector that make a document cost one unit.
const USUAL_LENGTH: f64 = 384.0;
/// What words alone cost, as a length.
const WORDS_LENGTH: f64 = 16.0;

/// Documents that a search looks at, weighed by the length of their vectors: all vectors are compared
/// with the question, while of words only the few documents are looked at that have them.
fn documents(index: &dyn Index) -> f64 {
    let length = (index.dimensions() as f64).max(WORDS_LENGTH);
    index.len() as f64 * length / USUAL_LENGTH
}
