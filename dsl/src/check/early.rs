//! Which steps of a flow can be foreseen while its source is read.

use std::collections::BTreeSet;

use crate::lower::{columns_read, visit_mut};
use crate::plan::{Argument, EarlyStep, Expr, Node, StagePlan};

/// Sources that are the same each time they are read. Whoever asks over HTTP wants an answer, like the
/// one before or not, and what came from a queue is not read once more when it is done.
pub(super) const READ_IN_ORDER: [&str; 6] = ["csv", "dir", "generate", "jsonl", "parquet", "stdin"];

/// The steps in front of one that is decided early.
#[derive(Default)]
pub(super) struct Early {
    pub(super) steps: Vec<EarlyStep>,
    /// Columns that are only known later.
    unknown: BTreeSet<usize>,
    /// Whether all steps can be foreseen.
    pub(super) whole: bool,
}

impl Early {
    pub(super) fn of(nodes: &[Node]) -> Early {
        let mut early = Early { whole: true, ..Early::default() };
        for node in nodes {
            match node {
                Node::Source(_) => {}
                Node::Filter(filter) if early.knows(&filter.predicate) => {
                    let (predicate, text) = (filter.predicate.clone(), filter.text.clone());
                    early.steps.push(EarlyStep::Filter { predicate, text });
                }
                Node::Stage(stage) => {
                    if let Some(step) = early.computed(stage) {
                        early.steps.push(step);
                    } else {
                        early.unknown.insert(stage.column);
                        early.whole = false;
                    }
                }
                Node::Filter(_) | Node::Schedule | Node::Emit(_) | Node::Relate(_) => {
                    early.whole = false;
                }
            }
        }
        early
    }

    /// Whether a value is known when a record has been read.
    pub(super) fn knows(&self, expr: &Expr) -> bool {
        !has_prompt(expr) && columns_read(expr).iter().all(|column| !self.unknown.contains(column))
    }

    fn computed(&self, stage: &StagePlan) -> Option<EarlyStep> {
        let [(_, Argument::Expr(value))] = stage.args.as_slice() else { return None };
        let known = stage.kind == "map" && self.knows(value);
        let known = known && stage.when.as_ref().is_none_or(|when| self.knows(when));
        known.then(|| EarlyStep::Compute {
            column: stage.column,
            value: value.clone(),
            when: stage.when.clone(),
            text: stage.name.clone(),
        })
    }
}

/// Whether a value is made by a template, which a source does not have.
fn has_prompt(expr: &Expr) -> bool {
    let mut found = false;
    visit_mut(&mut expr.clone(), &mut |expr| found |= matches!(expr, Expr::Template(..)));
    found
}
