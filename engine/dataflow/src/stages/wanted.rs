//! The documents of an index that a condition holds for.
//!
//! Looked at one by one before anything is ranked, so that `k` documents are found whenever there are
//! so many. A condition that says nothing of the record holds for the same documents each time;
//! of an index that does not change they are looked up once.

use std::borrow::Cow;
use std::sync::OnceLock;

use bumpalo::Bump;
use sage_core::expr::{EvalError, Program};
use sage_core::index::{Hit, Index, Query};
use sage_core::record::{Datum, Items};
use sage_dsl::plan::{Argument, Expr};

use super::{Build, Row};
use crate::error::DataflowError;

/// Most documents between two times that memory is given back.
const BATCH: usize = 1024;

/// A condition on documents, if the stage has one.
pub(super) struct Wanted {
    condition: Option<Program>,
    /// Whether it is the same for all records.
    settled: bool,
    found: OnceLock<Vec<u32>>,
}

impl Wanted {
    pub(super) fn of(build: &Build<'_>) -> Result<Self, DataflowError> {
        let given = build.stage.args.iter().find(|(name, _)| name == "where");
        let given = given.and_then(|(_, argument)| match argument {
            Argument::Expr(Expr::Literal(_)) | Argument::Index(_) => None,
            Argument::Expr(expr) => Some(expr),
        });
        let condition = given.map(|_| build.program("where")).transpose()?;
        let settled = condition.as_ref().is_some_and(|condition| !condition.reads_columns());
        Ok(Wanted { condition, settled, found: OnceLock::new() })
    }

    /// The best `k` of them for a question.
    pub(super) fn search(
        &self,
        row: Row<'_, '_>,
        index: &dyn Index,
        changes: bool,
        query: Query<'_>,
        k: usize,
    ) -> Result<Vec<Hit>, EvalError> {
        let Some(condition) = &self.condition else { return Ok(index.search(query, k)) };
        let wanted = if let Some(found) = self.found.get() {
            Cow::Borrowed(found.as_slice())
        } else {
            let found = look(row, condition, index)?;
            if self.settled && !changes {
                Cow::Borrowed(self.found.get_or_init(|| found).as_slice())
            } else {
                Cow::Owned(found)
            }
        };
        Ok(index.search_among(query, k, &wanted))
    }
}

fn look(row: Row<'_, '_>, condition: &Program, index: &dyn Index) -> Result<Vec<u32>, EvalError> {
    let mut wanted = Vec::new();
    let mut memory = Bump::new();
    let numbers: Vec<u32> = (0..index.len() as u32).collect();
    for batch in numbers.chunks(BATCH) {
        for number in batch {
            let Some(document) = index.document(*number) else { continue };
            let document = Datum::Record(Items::new(document));
            let holds = condition.evaluate_about(document, row.columns, row.templates, &memory)?;
            if holds == Datum::Bool(true) {
                wanted.push(*number);
            }
        }
        memory.reset();
    }
    Ok(wanted)
}
