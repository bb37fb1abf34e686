//! The steps over all records, a line each.

use super::emit_text;
use crate::plan::{GroupPlan, Plan, RelationPlan, RelationStep};

/// Where the records meet.
pub(super) fn text(relation: &RelationPlan) -> String {
    let exchange = match relation.steps.first() {
        Some(RelationStep::Group(group)) if group.keys.is_empty() => "all to one worker",
        _ => "by hash of the key",
    };
    let values = relation.values.len();
    format!("contribute {values} values a record, exchange: {exchange}")
}

/// One line for each step.
pub(super) fn steps(plan: &Plan, relation: &RelationPlan, mut line: impl FnMut(&str)) {
    for step in &relation.steps {
        let text = match step {
            RelationStep::Filter(filter) => format!("where {}", filter.text),
            RelationStep::Compute(compute) => {
                format!("stage {}: {} (line {})", compute.name, compute.ty, compute.line)
            }
            RelationStep::Dedup(dedup) => format!("{} (line {})", dedup.text, dedup.line),
            RelationStep::FlatMap(list) => {
                format!("flat_map {}: {} (line {})", list.name, list.ty, list.line)
            }
            RelationStep::Join(join) => format!("{} (line {})", join.text, join.line),
            RelationStep::Latest(latest) if latest.conditions.is_empty() => {
                "the last version of each key".to_owned()
            }
            RelationStep::Latest(latest) => format!(
                "the last version of each key, where {}",
                latest.conditions.join(" and where ")
            ),
            // Named by the group that follows.
            RelationStep::Window(_) => continue,
            RelationStep::Group(group) => group_text(group),
            RelationStep::Emit(emit) => emit_text(plan, emit),
        };
        line(&text);
    }
}

fn group_text(group: &GroupPlan) -> String {
    let aggregates: Vec<String> =
        group.aggregates.iter().map(|it| format!("{}: {}", it.name, it.text)).collect();
    format!("{} {{ {} }} (line {})", group.text, aggregates.join(", "), group.line)
}
