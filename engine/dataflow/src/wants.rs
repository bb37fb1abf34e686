//! What the `schedule` block says of a record: its priority, when it is wanted, whose it is, what it
//! is like. Evaluated on the columns that are there at the scheduling operator.

use bumpalo::Bump;
use sage_core::expr::{CompileError, Program, Templates};
use sage_core::record::Datum;
use sage_core::schedule::key;
use sage_dsl::plan::{Expr, SchedulePlan};

/// The expressions of a `schedule` block.
pub(crate) struct Wants {
    priority: Option<Program>,
    due: Option<Program>,
    fair: Option<Program>,
    affinity: Option<Program>,
    deadline_ns: Option<u64>,
}

/// What they say of one record; what was not asked for or cannot be evaluated is at its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// Higher runs first.
    pub(crate) priority: i64,
    /// Wanted so long after its arrival: the `due` entry, else the `deadline`.
    pub(crate) due_ns: Option<u64>,
    /// Key of whose it is; 0 for nobody.
    pub(crate) flow: u64,
    /// Key of what it has in common with others; 0 for nothing.
    pub(crate) affinity: u64,
}

impl Wants {
    pub(crate) fn of(schedule: &SchedulePlan) -> Result<Self, CompileError> {
        let compile = |expr: &Option<Expr>| expr.as_ref().map(Program::compile).transpose();
        Ok(Wants {
            priority: compile(&schedule.priority)?,
            due: compile(&schedule.due)?,
            fair: compile(&schedule.fair)?,
            affinity: compile(&schedule.affinity)?,
            deadline_ns: schedule.deadline_ns.and_then(|ns| u64::try_from(ns).ok()),
        })
    }

    /// Whether no record needs to be looked at.
    pub(crate) fn reads_nothing(&self) -> bool {
        [&self.priority, &self.due, &self.fair, &self.affinity].into_iter().all(Option::is_none)
    }

    pub(crate) fn read<'a>(
        &'a self,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Wanted {
        let value = |program: &'a Option<Program>| {
            program.as_ref().and_then(|program| program.evaluate(columns, templates, arena).ok())
        };
        let due = value(&self.due).and_then(Datum::as_int);
        Wanted {
            priority: value(&self.priority).and_then(Datum::as_int).unwrap_or(0),
            due_ns: due.and_then(|ns| u64::try_from(ns).ok()).or(self.deadline_ns),
            flow: value(&self.fair).map_or(0, key),
            affinity: value(&self.affinity).map_or(0, key),
        }
    }
}
