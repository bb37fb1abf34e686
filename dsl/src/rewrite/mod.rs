//! From a plan as it is written to the one that runs: one ordered list of small rules, a file each.
//!
//! Every rule leaves what comes out of a plan as it is; [`plain`] applies only those without which
//! a plan cannot run, so that a test can compare the two.

mod drop_of_elements;
mod drop_unused;
mod emit_last;
mod gather_calls;
mod narrow;
mod place_schedule;
mod push_filters;
mod share_calls;

use crate::plan::Plan;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, as `explain --verbose` shows it.
    pub name: &'static str,
    /// What it does and why.
    pub summary: &'static str,
    /// A plan cannot run without it.
    required: bool,
    apply: fn(&mut Plan),
}

/// All rules, in the order in which they are applied.
pub const RULES: &[&Rule] = &[
    &emit_last::RULE,
    &push_filters::RULE,
    &share_calls::RULE,
    &gather_calls::RULE,
    &place_schedule::RULE,
    &narrow::RULE,
    &drop_of_elements::RULE,
    &drop_unused::RULE,
];

/// A rule that has changed a plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// The rule.
    pub rule: &'static Rule,
    /// The plan before.
    pub before: Plan,
    /// The plan after.
    pub after: Plan,
}

/// The plan that runs.
pub(crate) fn rewritten(mut plan: Plan) -> Plan {
    RULES.iter().for_each(|rule| (rule.apply)(&mut plan));
    plan
}

/// A plan that runs as it is written.
pub fn plain(mut plan: Plan) -> Plan {
    RULES.iter().filter(|rule| rule.required).for_each(|rule| (rule.apply)(&mut plan));
    plan
}

/// What each rule does to a plan that is as it was written; rules that change nothing are left out.
pub fn steps(written: &Plan) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut plan = written.clone();
    for rule in RULES {
        let before = plan.clone();
        (rule.apply)(&mut plan);
        if plan != before {
            steps.push(Step { rule, before, after: plan.clone() });
        }
    }
    steps
}
