//! Columns that were only on the way to others are left behind when a task travels.
//!
//! Fields of the source stay, read or not: a dead letter holds its record as it came, and `retry`
//! goes by that.

use std::collections::BTreeSet;

use super::Rule;
use crate::lower::columns_read;
use crate::plan::{Argument, Node, Plan};

pub(super) static RULE: Rule = Rule {
    name: "drop columns before the exchange",
    summary: "what nobody reads any more does not travel and is not kept in the queue",
    required: false,
    apply,
};

fn apply(plan: &mut Plan) {
    let Some(at) = plan.nodes.iter().position(|node| matches!(node, Node::Schedule)) else {
        return;
    };
    let (before, behind) = plan.nodes.split_at(at);
    let mut read = read_by_schedule(plan);
    behind.iter().for_each(|node| read.extend(read_by(node)));
    let made = before.iter().filter_map(|node| match node {
        Node::Stage(stage) => Some(stage.column),
        _ => None,
    });
    let drops = made.filter(|column| !read.contains(column)).collect();
    plan.schedule.drops = drops;
}

/// Columns that the `schedule` block reads.
pub(super) fn read_by_schedule(plan: &Plan) -> BTreeSet<usize> {
    let schedule = &plan.schedule;
    let given = [&schedule.priority, &schedule.fair, &schedule.due, &schedule.affinity];
    given.into_iter().flatten().flat_map(columns_read).collect()
}

/// Columns that a node reads.
pub(super) fn read_by(node: &Node) -> Vec<usize> {
    match node {
        Node::Source(_) | Node::Schedule => Vec::new(),
        Node::Filter(filter) => columns_read(&filter.predicate),
        Node::Stage(stage) => {
            let args = stage.args.iter().filter_map(|(_, argument)| match argument {
                Argument::Expr(expr) => Some(expr),
                Argument::Index(_) => None,
            });
            args.chain(&stage.when).flat_map(columns_read).collect()
        }
        Node::Emit(emit) => {
            emit.values.iter().chain(&emit.condition).flat_map(columns_read).collect()
        }
        Node::Relate(relation) => relation.values.iter().flat_map(columns_read).collect(),
    }
}
