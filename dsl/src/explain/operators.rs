//! What of a plan becomes one operator, a line each: the last step, which is no rule over plans.
//!
//! Stages that only compute and filters are fused where they are neighbours; stages that wait are
//! open at once where they are neighbours that do not read each other.

use crate::catalog::StageClass;
use crate::plan::{Node, Plan, StagePlan};

/// The operators of a plan in order.
pub(super) fn operators(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut run: Vec<&Node> = Vec::new();
    for node in &plan.nodes {
        if !run.last().is_some_and(|_| joins(&run, node)) {
            lines.extend(line(&run));
            run.clear();
        }
        run.push(node);
    }
    lines.extend(line(&run));
    lines
}

fn waits(node: &Node) -> Option<&StagePlan> {
    match node {
        Node::Stage(stage) if stage.class == StageClass::Wait => Some(stage),
        _ => None,
    }
}

fn computes(node: &Node) -> bool {
    matches!(node, Node::Filter(_) | Node::Stage(_)) && waits(node).is_none()
}

/// Whether a node goes into the operator of the nodes before it.
fn joins(run: &[&Node], node: &Node) -> bool {
    let written = |node: &Node| matches!(node, Node::Emit(_) | Node::Relate(_));
    if let Some(stage) = waits(node) {
        let beside = |other: &StagePlan| !stage.reads.contains(&other.column);
        return run.iter().all(|other| waits(other).is_some_and(beside));
    }
    let alike = |is: fn(&Node) -> bool| is(node) && run.iter().all(|other| is(other));
    alike(computes) || alike(written)
}

fn line(run: &[&Node]) -> Option<String> {
    let names: Vec<String> = run.iter().map(|node| name(node)).collect();
    let word = match run.first()? {
        Node::Source(_) | Node::Schedule => "",
        Node::Emit(_) | Node::Relate(_) => "complete: ",
        node if waits(node).is_some() && run.len() > 1 => "side by side: ",
        node if waits(node).is_some() => "call: ",
        _ => "fused: ",
    };
    Some(format!("{word}{}", names.join(", ")))
}

fn name(node: &Node) -> String {
    match node {
        Node::Source(source) => format!("source {}", source.name),
        Node::Filter(filter) => format!("where {}", filter.text),
        Node::Stage(stage) => stage.name.clone(),
        Node::Schedule => "schedule".to_owned(),
        Node::Emit(_) => "emit".to_owned(),
        Node::Relate(_) => "contribute".to_owned(),
    }
}
