//! A stage that waits stands right behind another that waits, if only plain expressions are between
//! them and it reads neither.
//!
//! The two are then open at once, and a record waits for the longer of them and not for both. The
//! expressions come behind them, where they are one operator with what follows. Only expressions that
//! cannot fail are passed: no call is made for a record that would have failed before.

use std::collections::BTreeMap;

use super::Rule;
use crate::catalog::StageClass;
use crate::lower::{cannot_fail, record_expressions};
use crate::plan::{Argument, Expr, Node, Plan, StagePlan};

pub(super) static RULE: Rule = Rule {
    name: "gather calls",
    summary: "calls that do not read each other are open at once, and expressions are one operator",
    required: false,
    apply,
};

fn apply(plan: &mut Plan) {
    let mut moved = false;
    for at in 0..plan.nodes.len() {
        if let Some(place) = place_of(&plan.nodes, at) {
            plan.nodes[place..=at].rotate_right(1);
            moved = true;
        }
    }
    if moved {
        renumber(plan);
    }
}

/// Where the node at `at` goes, if it is to go anywhere.
fn place_of(nodes: &[Node], at: usize) -> Option<usize> {
    let stage = waiting(nodes.get(at)?)?;
    let mut place = at;
    while place > 0 && passed(&nodes[place - 1], stage) {
        place -= 1;
    }
    let beside: Vec<&StagePlan> = nodes[..place].iter().rev().map_while(waiting).collect();
    let reads = beside.iter().any(|other| stage.reads.contains(&other.column));
    (place < at && !beside.is_empty() && !reads).then_some(place)
}

fn waiting(node: &Node) -> Option<&StagePlan> {
    match node {
        Node::Stage(stage) if stage.class == StageClass::Wait => Some(stage),
        _ => None,
    }
}

/// Whether `stage` may stand before a node as well as behind it.
fn passed(node: &Node, stage: &StagePlan) -> bool {
    let Node::Stage(other) = node else { return false };
    let value = match other.args.as_slice() {
        [(_, Argument::Expr(value))] if other.kind == "map" => value,
        _ => return false,
    };
    !stage.reads.contains(&other.column)
        && cannot_fail(value)
        && other.when.as_ref().is_none_or(cannot_fail)
}

/// Stages append their columns in the order of the nodes.
fn renumber(plan: &mut Plan) {
    let stages = plan.nodes.iter().filter_map(|node| match node {
        Node::Stage(stage) => Some(stage.column),
        _ => None,
    });
    let before: Vec<usize> = stages.collect();
    let mut after = before.clone();
    after.sort_unstable();
    let places: BTreeMap<usize, usize> = before.into_iter().zip(after).collect();
    let place = |column: usize| places.get(&column).copied().unwrap_or(column);
    record_expressions(plan, &mut |expr| {
        if let Expr::Column(at) = expr {
            *at = place(*at);
        }
    });
    for node in &mut plan.nodes {
        if let Node::Stage(stage) = node {
            stage.column = place(stage.column);
            stage.reads.iter_mut().for_each(|column| *column = place(*column));
        }
    }
    let mut columns = plan.columns.clone();
    for (at, column) in plan.columns.drain(..).enumerate() {
        if let Some(into) = columns.get_mut(place(at)) {
            *into = column;
        }
    }
    plan.columns = columns;
}
