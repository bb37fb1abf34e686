//! A filter stands right behind the last stage that it reads.

use super::Rule;
use crate::lower::columns_read;
use crate::plan::{Node, Plan};

pub(super) static RULE: Rule = Rule {
    name: "push filters",
    summary: "no call is paid for a record that is dropped",
    required: false,
    apply,
};

fn apply(plan: &mut Plan) {
    let nodes = std::mem::take(&mut plan.nodes);
    let mut ordered: Vec<Node> = Vec::with_capacity(nodes.len() + 1);
    for node in nodes {
        let Node::Filter(filter) = node else {
            ordered.push(node);
            continue;
        };
        let reads = columns_read(&filter.predicate);
        // Behind the source, the last stage it reads, and the filters already there.
        let mut place = ordered
            .iter()
            .rposition(|node| match node {
                Node::Source(_) => true,
                Node::Stage(stage) => reads.contains(&stage.column),
                _ => false,
            })
            .map_or(0, |at| at + 1);
        while matches!(ordered.get(place), Some(Node::Filter(_))) {
            place += 1;
        }
        ordered.insert(place, Node::Filter(filter));
    }
    plan.nodes = ordered;
}
