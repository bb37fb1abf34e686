//! The scheduling operator stands before the first expensive stage, or right behind the source.

use super::Rule;
use crate::catalog::StageClass;
use crate::plan::{Node, Plan};

pub(super) static RULE: Rule = Rule {
    name: "place the schedule",
    summary: "what is cheap happens where the data is, and what is expensive where there is room",
    required: true,
    apply,
};

fn apply(plan: &mut Plan) {
    let nodes = &mut plan.nodes;
    let expensive =
        |node: &Node| matches!(node, Node::Stage(stage) if stage.class != StageClass::Cheap);
    let place = nodes.iter().position(expensive).unwrap_or(1).min(nodes.len());
    nodes.insert(place, Node::Schedule);
}
