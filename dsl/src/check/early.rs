//! Which steps of a flow can be foreseen while its source is read.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, EndpointUse, Kind, StageClass};
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
    pub(super) fn of(nodes: &[Node], catalog: &Catalog) -> Early {
        let mut early = Early { whole: true, ..Early::default() };
        for node in nodes {
            match node {
                Node::Source(_) => {}
                Node::Filter(filter) if early.knows(&filter.predicate) => {
                    let (predicate, text) = (filter.predicate.clone(), filter.text.clone());
                    early.steps.push(EarlyStep::Filter { predicate, text });
                }
                Node::Stage(stage) => {
                    if let Some(step) = early.computed(stage, catalog) {
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

    fn computed(&self, stage: &StagePlan, catalog: &Catalog) -> Option<EarlyStep> {
        let known =
            |argument: &Argument| matches!(argument, Argument::Expr(expr) if self.knows(expr));
        let all = stage.args.iter().all(|(_, argument)| known(argument));
        if !all || !stage.when.as_ref().is_none_or(|when| self.knows(when)) {
            return None;
        }
        match stage.args.as_slice() {
            [(_, Argument::Expr(value))] if stage.kind == "map" => Some(EarlyStep::Compute {
                column: stage.column,
                value: value.clone(),
                when: stage.when.clone(),
                text: stage.name.clone(),
            }),
            _ => only_computes(stage, catalog).then(|| EarlyStep::Stage(Box::new(stage.clone()))),
        }
    }
}

/// Whether a stage makes a column of its arguments alone, and does so quickly. Documents come from an
/// index, which a source does not have, and `filter` drops records.
fn only_computes(stage: &StagePlan, catalog: &Catalog) -> bool {
    let Some(spec) = catalog.stage(&stage.kind) else { return false };
    let of_index = |kind| matches!(kind, Kind::Index | Kind::Hits | Kind::Documents);
    stage.class == StageClass::Cheap
        && stage.calls == EndpointUse::None
        && stage.kind != "filter"
        && !spec.signature.params.iter().any(|param| of_index(param.kind))
}

/// Whether a value is made by a template, which a source does not have.
fn has_prompt(expr: &Expr) -> bool {
    let mut found = false;
    visit_mut(&mut expr.clone(), &mut |expr| found |= matches!(expr, Expr::Template(..)));
    found
}
