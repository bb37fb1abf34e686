//! The seed of a run, given to the stages that draw.
//!
//! A stage that draws (a sampled answer, a drawn time) has an option `seed`. The run's seed is added
//! to it in the plan, before anyone reads that: so a repeat with another seed draws anew, on workers
//! and in the twin alike, and the same seed draws the same everywhere.

use sage_dsl::plan::{Node, Plan, StagePlan, lookup};
use sage_dsl::types::Value;

/// Name of the option.
const SEED: &str = "seed";

/// `plan` as a run with this seed executes it; seed 0 leaves it as it is written.
pub fn seeded(plan: &Plan, seed: u64) -> Plan {
    let mut plan = plan.clone();
    for node in &mut plan.nodes {
        let Node::Stage(stage) = node else { continue };
        for (name, value) in &mut stage.options {
            if let (SEED, Value::Int(own)) = (name.as_str(), value) {
                // Endpoints take it as a positive number of 64 bits with a sign.
                *own = (own.cast_unsigned().wrapping_add(seed) & i64::MAX as u64).cast_signed();
            }
        }
    }
    plan
}

/// The seed of a stage that draws.
pub(crate) fn of_stage(stage: &StagePlan) -> u64 {
    lookup(&stage.options, SEED).and_then(Value::as_int).unwrap_or(0).cast_unsigned()
}
