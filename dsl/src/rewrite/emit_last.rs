//! Emits stand behind all other steps: rows leave when everything about their record is known.

use super::Rule;
use crate::plan::{Node, Plan};

pub(super) static RULE: Rule = Rule {
    name: "emit last",
    summary: "a record that fails in a later stage has emitted nothing",
    required: true,
    apply,
};

fn apply(plan: &mut Plan) {
    let is_emit = |node: &Node| matches!(node, Node::Emit(_) | Node::Relate(_));
    let (emits, steps): (Vec<Node>, Vec<Node>) =
        std::mem::take(&mut plan.nodes).into_iter().partition(is_emit);
    plan.nodes = steps;
    plan.nodes.extend(emits);
}
