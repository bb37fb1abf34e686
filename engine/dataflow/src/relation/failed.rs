//! Rows that a step cannot compute.
//!
//! They are the rows of a collection of their own, with differences like those of any other: when
//! what a failed row was made of is taken back, the failure is, too. So only what is still wrong at
//! the end comes to the dead letters, and no order of work makes a failure that was never there.

use bumpalo::Bump;
use differential_dataflow::{AsCollection, VecCollection};
use sage_core::expr::{EvalError, Program, Templates};
use sage_core::record::{Datum, pack};
use sage_dsl::plan::Column;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use timely::dataflow::Scope;
use timely::dataflow::operators::core::OkErr;

use super::packed::Packed;
use super::steps::Round;

/// A row that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// Position among the places of all steps.
    pub(crate) place: u32,
    pub(crate) message: String,
    pub(crate) row: Packed,
}

/// Where rows may fail, as their dead letters tell.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Name of the stage, or the word that the step begins with.
    pub(crate) stage: String,
    /// The step, for people.
    pub(crate) text: String,
    /// Columns of its rows; `None` for one that is not shown.
    pub(crate) columns: Vec<Option<Column>>,
}

/// Rows that a step has worked on.
type Worked<'s, T> = VecCollection<'s, Round, Result<T, Failed>, isize>;

/// The failed rows of all steps.
pub(crate) type FailedRows<'s> = VecCollection<'s, Round, Failed, isize>;

/// Gathers the failed rows of one step after the other.
#[derive(Default)]
pub(super) struct Failures<'s>(Vec<FailedRows<'s>>);

impl<'s> Failures<'s> {
    /// Keep what failed; the rest goes on.
    pub(super) fn part<T: Clone + 'static>(
        &mut self,
        rows: Worked<'s, T>,
    ) -> VecCollection<'s, Round, T, isize> {
        let (good, bad) = rows.inner.ok_err::<Vec<_>, _, Vec<_>, _, _>(|(row, round, count)| {
            row.map(|row| (row, round, count)).map_err(|failed| (failed, round, count))
        });
        self.0.push(bad.as_collection());
        good.as_collection()
    }

    pub(super) fn all(self, scope: Scope<'s, Round>) -> FailedRows<'s> {
        differential_dataflow::collection::concatenate(scope, self.0)
    }
}

/// Computes over one row after the other.
pub(super) struct Evaluator {
    place: u32,
    templates: Rc<Templates>,
    arena: Bump,
}

impl Evaluator {
    pub(super) fn new(place: u32, templates: &Rc<Templates>) -> Self {
        Evaluator { place, templates: Rc::clone(templates), arena: Bump::new() }
    }

    /// Append the values of `programs`.
    pub(super) fn pack(
        &mut self,
        row: &Packed,
        programs: &[Program],
        out: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        self.arena.reset();
        let columns = row.columns();
        for program in programs {
            match program.evaluate(&columns, &self.templates, &self.arena) {
                Ok(value) => pack(out, value),
                Err(error) => return Err(self.failed(row, &error)),
            }
        }
        Ok(())
    }

    /// A time; `None` where there is none.
    pub(super) fn value(&mut self, row: &Packed, program: &Program) -> Result<Option<i64>, Failed> {
        self.arena.reset();
        let value = program.evaluate(&row.columns(), &self.templates, &self.arena);
        value.map(Datum::as_int).map_err(|error| self.failed(row, &error))
    }

    pub(super) fn holds(&mut self, row: &Packed, condition: &Program) -> Result<bool, Failed> {
        self.arena.reset();
        let value = condition.evaluate(&row.columns(), &self.templates, &self.arena);
        let holds = value.map(|value| value == Datum::Bool(true));
        holds.map_err(|error| self.failed(row, &error))
    }

    /// Another expression of the same step, which comes next.
    pub(super) fn at(&mut self, place: u32) -> &mut Self {
        self.place = place;
        self
    }

    fn failed(&self, row: &Packed, error: &EvalError) -> Failed {
        Failed { place: self.place, message: error.to_string(), row: row.clone() }
    }
}
