//! The operators of a plan as the twin has to know them: what is computed one after the other, what
//! is asked side by side.

use sage_core::endpoint::Lane;
use sage_dsl::catalog::{EndpointUse, StageClass};
use sage_dsl::plan::{Node, Plan, StagePlan};

use crate::segments::{Segment, Segments};
use crate::stages::Stage;

/// The operators before and behind the scheduling operator, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// On the first worker.
    pub before: Vec<Part>,
    /// On the chosen worker.
    pub behind: Vec<Part>,
}

/// One operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Stages that compute, by position.
    Local(Vec<u16>),
    /// Stages that wait and do not read each other.
    Ask(Vec<Member>),
}

/// A stage that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its position.
    pub stage: u16,
    /// What it waits for.
    pub wait: Wait,
}

/// What a stage waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A timer.
    Timer,
    /// The answer of an endpoint.
    Call {
        /// Position of the endpoint.
        endpoint: usize,
        /// Most items of a call.
        batch: usize,
        /// Most estimated tokens of a call.
        batch_tokens: Option<u64>,
        /// Longest wait for company.
        linger_ns: u64,
        /// Longest time until the answer.
        timeout_ns: u64,
        /// Lane in the gateway's line.
        lane: Lane,
    },
}

impl Shape {
    pub(super) fn of(segments: &Segments) -> Shape {
        let parts = |segments: &[Segment]| segments.iter().filter_map(part).collect();
        Shape { before: parts(&segments.before), behind: parts(&segments.behind) }
    }
}

/// Which stages wait, and how they are grouped, from the plan alone: for somebody who knows what the
/// stages took and does not want to run them. All waits are timers.
pub fn outline(plan: &Plan) -> Shape {
    let mut shape = Shape::default();
    let mut scheduled = false;
    let mut number = 0;
    // Columns of the group that is being filled; empty when another part has begun.
    let mut group: Vec<usize> = Vec::new();
    for node in &plan.nodes {
        let into = if scheduled { &mut shape.behind } else { &mut shape.before };
        match node {
            Node::Source(_) | Node::Emit(_) | Node::Relate(_) => {}
            Node::Schedule => {
                scheduled = true;
                group.clear();
            }
            Node::Filter(_) => group.clear(),
            Node::Stage(stage) if stage.class == StageClass::Wait && !is_local(stage) => {
                let member = Member { stage: number, wait: Wait::Timer };
                let beside = !stage.reads.iter().any(|column| group.contains(column));
                match into.last_mut() {
                    Some(Part::Ask(members)) if beside && !group.is_empty() => members.push(member),
                    _ => {
                        group.clear();
                        into.push(Part::Ask(vec![member]));
                    }
                }
                group.push(stage.column);
                number += 1;
            }
            Node::Stage(_) => {
                group.clear();
                match into.last_mut() {
                    Some(Part::Local(stages)) => stages.push(number),
                    _ => into.push(Part::Local(vec![number])),
                }
                number += 1;
            }
        }
    }
    shape
}

/// Whether a stage that may wait computes, because it names no endpoint.
fn is_local(stage: &StagePlan) -> bool {
    stage.calls != EndpointUse::None && stage.endpoint.is_none()
}

/// `None` for an operator that only filters.
fn part(segment: &Segment) -> Option<Part> {
    match segment {
        Segment::Fused(fused) => {
            let stages: Vec<u16> = fused.steps.iter().filter_map(|it| it.step.stage()).collect();
            (!stages.is_empty()).then_some(Part::Local(stages))
        }
        Segment::Call(members) => {
            let member = |member: &crate::operators::Member| {
                let wait = match &member.run {
                    Stage::Call(call) => Wait::Call {
                        endpoint: call.endpoint,
                        batch: call.batch,
                        batch_tokens: call.batch_tokens,
                        linger_ns: call.linger_ns,
                        timeout_ns: call.timeout_ns,
                        lane: call.lane,
                    },
                    _ => Wait::Timer,
                };
                Member { stage: member.stage, wait }
            };
            Some(Part::Ask(members.iter().map(member).collect()))
        }
    }
}
