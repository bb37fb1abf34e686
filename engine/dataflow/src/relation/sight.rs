//! Which columns the rows of each step have, and what a step is called: what a dead letter tells of
//! a row that failed there.

use sage_dsl::plan::{Column, Expr, RelationPlan, RelationStep};
use sage_dsl::types::{Type, Value};

use super::failed::Place;

/// The columns in front of a step; `None` for those that are of no interest to people.
pub(super) struct Sight(Vec<Option<Column>>);

impl Sight {
    /// In front of the first step: without the numbers, and without what no step looks at.
    pub(super) fn of(plan: &RelationPlan) -> Self {
        let seen = |(at, column): (usize, &Column)| {
            let unread = matches!(plan.values.get(at), Some(Expr::Literal(Value::Null)));
            (!unread && !column.name.starts_with('.')).then(|| column.clone())
        };
        Sight(plan.columns.iter().enumerate().map(seen).collect())
    }

    /// Where a row fails in a step.
    pub(super) fn place(&self, step: &RelationStep) -> Place {
        let (stage, text) = said(step);
        Place { stage, text, columns: self.0.clone() }
    }

    /// Where a whole group fails: behind its step its keys come first.
    pub(super) fn group(&self, step: &RelationStep) -> Place {
        let mut place = self.place(step);
        if let RelationStep::Group(group) = step {
            place.columns.truncate(group.keys.len());
        }
        place
    }

    /// The columns behind a step.
    pub(super) fn pass(&mut self, step: &RelationStep) {
        let mut add = |name: &str, ty: Type| {
            self.0.push(Some(Column { name: name.to_owned(), ty }));
        };
        match step {
            RelationStep::Compute(stage) => add(&stage.name, stage.ty.clone()),
            RelationStep::FlatMap(list) => add(&list.name, list.ty.clone()),
            RelationStep::Join(join) => {
                add(&join.source.name, Type::Record(join.source.record.clone()));
            }
            RelationStep::Window(window) => {
                add("window_start", window.ty.clone());
                add("window_end", window.ty.clone());
            }
            RelationStep::Group(group) => {
                self.0 = group.columns.iter().cloned().map(Some).collect();
            }
            RelationStep::Filter(_)
            | RelationStep::Dedup(_)
            | RelationStep::Latest(_)
            | RelationStep::Emit(_) => {}
        }
    }
}

/// Name and text of a step.
fn said(step: &RelationStep) -> (String, String) {
    let named = |word: &str, text: &str, line: u32| {
        (word.to_owned(), format!("`{text}` (line {line}), over all records"))
    };
    match step {
        RelationStep::Filter(filter) => {
            ("where".to_owned(), format!("`where {}`, over all records", filter.text))
        }
        RelationStep::Compute(stage) => {
            let text = format!("stage `{}` (line {}), over all records", stage.name, stage.line);
            (stage.name.clone(), text)
        }
        RelationStep::Dedup(dedup) => named("dedup", &dedup.text, dedup.line),
        RelationStep::FlatMap(list) => {
            let text = format!("flat_map `{}` (line {}), over all records", list.name, list.line);
            (list.name.clone(), text)
        }
        RelationStep::Join(join) => named("join", &join.text, join.line),
        RelationStep::Group(group) => named("group", &group.text, group.line),
        RelationStep::Window(_) => ("window".to_owned(), "the time of a window".to_owned()),
        RelationStep::Latest(_) => ("version".to_owned(), "a version of a record".to_owned()),
        RelationStep::Emit(_) => ("emit".to_owned(), "`emit`, over all records".to_owned()),
    }
}
