//! From the plan's nodes to the segments that become operators: what is fused, what runs side by
//! side, how many records make a task.

use sage_core::expr::{CompileError, Program};
use sage_core::index::Index;
use sage_dsl::plan::{Node, Plan, StagePlan};
use std::sync::Arc;

use crate::error::DataflowError;
use crate::operators::{Fused, Guarded, Member, Step};
use crate::served::is_served;
use crate::stages::{self, STAGES, Stage};

/// A run of nodes that becomes one operator.
pub(crate) enum Segment {
    Fused(Fused),
    /// Stages that wait and do not read each other.
    Call(Vec<Member>),
}

/// The segments before and behind the scheduling operator.
pub(crate) struct Segments {
    pub(crate) before: Vec<Segment>,
    pub(crate) behind: Vec<Segment>,
}

fn broken(error: CompileError) -> DataflowError {
    DataflowError::Plan(error.to_string())
}

pub(crate) fn segments(plan: &Plan, indexes: &[Arc<dyn Index>]) -> Result<Segments, DataflowError> {
    let mut segments = Segments { before: Vec::new(), behind: Vec::new() };
    let mut scheduled = false;
    let mut number = 0;
    // Columns of the call group that is being filled.
    let mut group: Vec<usize> = Vec::new();
    for node in &plan.nodes {
        let into = if scheduled { &mut segments.behind } else { &mut segments.before };
        match node {
            Node::Schedule => scheduled = true,
            Node::Source(_) | Node::Emit(_) | Node::Relate(_) => {}
            Node::Filter(filter) => {
                let program = Program::compile(&filter.predicate).map_err(broken)?;
                push_step(into, Step::Filter(program), None);
            }
            Node::Stage(stage) => {
                let run = stages::build(plan, stage, indexes)?;
                let when = stage.when.as_ref().map(Program::compile).transpose().map_err(broken)?;
                let name = stage.name.clone();
                match run {
                    Stage::Local(run) => {
                        push_step(into, Step::Apply { stage: number, name, run }, when);
                    }
                    Stage::Map(program) => {
                        push_step(into, Step::Map { stage: number, name, program }, when);
                    }
                    Stage::Keep(program) => {
                        push_step(into, Step::Keep { stage: number, program }, when);
                    }
                    run @ (Stage::Call(_) | Stage::Wait(_)) => {
                        let member = Member { stage: number, name, run, when };
                        let beside = !stage.reads.iter().any(|column| group.contains(column));
                        match into.last_mut() {
                            Some(Segment::Call(members)) if beside => members.push(member),
                            _ => {
                                group.clear();
                                into.push(Segment::Call(vec![member]));
                            }
                        }
                        group.push(stage.column);
                    }
                }
                number += 1;
            }
        }
    }
    Ok(segments)
}

fn push_step(into: &mut Vec<Segment>, step: Step, when: Option<Program>) {
    let step = Guarded { step, when };
    match into.last_mut() {
        Some(Segment::Fused(fused)) => fused.steps.push(step),
        _ => into.push(Segment::Fused(Fused { steps: vec![step] })),
    }
}

/// A task should be worth about this much work: then the cost of scheduling it does not show.
const WORTH_US: f64 = 1_000.0;
/// And no more records than this, so that a run has enough tasks to share out.
const MOST: f64 = 1_024.0;

/// Records per task: as the program says, else one for flows with an expensive stage, else as many
/// as make a task worth scheduling.
pub fn morsel(plan: &Plan) -> usize {
    // A request waits for no other.
    if is_served(plan) {
        return 1;
    }
    if plan.schedule.morsel > 0 {
        return plan.schedule.morsel as usize;
    }
    match cheap_us(plan) {
        Some(us) => (WORTH_US / us).clamp(1.0, MOST) as usize,
        None => 1,
    }
}

/// Whether no stage is worth a task of its own.
pub(crate) fn is_cheap(plan: &Plan) -> bool {
    cheap_us(plan).is_some()
}

/// Cost of a record when all stages are cheap.
fn cheap_us(plan: &Plan) -> Option<f64> {
    plan.stages().try_fold(0.5, |total, stage| Some(total + stage_cost_us(stage)?))
}

/// Documents of an index that is not open yet.
const USUAL_DOCUMENTS: f64 = 1_000.0;
/// Bytes of a text that nobody has read yet.
const USUAL_BYTES: f64 = 4_000.0;

/// Cost of a cheap stage, or `None` for one that is worth a task of its own.
fn stage_cost_us(stage: &StagePlan) -> Option<f64> {
    use sage_dsl::catalog::{EndpointUse, StageClass};
    let entry = STAGES.iter().find(|entry| entry.spec.signature.name == stage.kind)?;
    let local_embed = stage.calls == EndpointUse::Embed && stage.endpoint.is_none();
    let cost = &entry.spec.cost;
    let usual = match cost.per_unit {
        Some(("index", us_per_document)) => us_per_document * USUAL_DOCUMENTS,
        Some(("text", us_per_byte)) => us_per_byte * USUAL_BYTES,
        _ => 0.0,
    };
    (local_embed || stage.class == StageClass::Cheap).then_some(cost.fixed_us + usual)
}
