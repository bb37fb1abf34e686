//! What the rules of rewriting did to a plan, rule by rule, and the operators that it becomes.

use std::fmt::Write;

use super::operators::operators;
use super::{line, node_text};
use crate::plan::Plan;
use crate::rewrite;

/// Each rule that changes the plan `written`, with the plan before it and behind it; then the
/// operators.
pub fn explain_rewrites(written: &Plan) -> String {
    let mut out = String::new();
    let steps = rewrite::steps(written);
    for step in &steps {
        let _ = writeln!(out, "rule \"{}\": {}", step.rule.name, step.rule.summary);
        for (word, plan) in [("before", &step.before), ("after", &step.after)] {
            line(&mut out, 0, word);
            for node in &plan.nodes {
                line(&mut out, 1, &node_text(plan, node, ""));
            }
            for (what, names) in declared(plan) {
                line(&mut out, 1, &format!("{what}: {}", names.join(", ")));
            }
        }
    }
    let last = steps.last().map_or(written, |step| &step.after);
    out.push_str("operators\n");
    operators(last).iter().for_each(|operator| line(&mut out, 0, operator));
    out
}

/// What a plan has besides its nodes.
fn declared(plan: &Plan) -> Vec<(&'static str, Vec<&str>)> {
    let all = [
        ("endpoints", plan.endpoints.iter().map(|it| it.name.as_str()).collect::<Vec<_>>()),
        ("indexes", plan.indexes.iter().map(|it| it.name.as_str()).collect()),
        ("prompts", plan.templates.iter().map(|it| it.name.as_str()).collect()),
        ("sinks", plan.sinks.iter().map(|it| it.name.as_str()).collect()),
    ];
    all.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}
