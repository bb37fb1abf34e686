//! What the first steps of a flow make of a record, known while it is read.

use bumpalo::Bump;
use sage_core::expr::{EvalError, Program, Templates};
use sage_core::record::{Datum, Items};
use sage_dsl::plan::{EarlyStep, Expr};

use crate::error::DataflowError;
use crate::stages::{LocalStage, Row, alone};

/// The steps, ready to be run.
pub(super) struct Early {
    steps: Vec<Step>,
    /// A source has none.
    templates: Templates,
}

enum Step {
    Filter(Program),
    Compute { column: usize, value: Value, when: Option<Program> },
}

enum Value {
    Expr(Program),
    Stage(Box<dyn LocalStage>),
}

impl Early {
    pub(super) fn new(steps: &[EarlyStep]) -> Result<Self, DataflowError> {
        let compiled = |step: &EarlyStep| {
            Ok(match step {
                EarlyStep::Filter { predicate, .. } => Step::Filter(Self::compiled(predicate)?),
                EarlyStep::Compute { column, value, when, .. } => Step::Compute {
                    column: *column,
                    value: Value::Expr(Self::compiled(value)?),
                    when: when.as_ref().map(Self::compiled).transpose()?,
                },
                EarlyStep::Stage(stage) => Step::Compute {
                    column: stage.column,
                    value: Value::Stage(alone(stage)?),
                    when: stage.when.as_ref().map(Self::compiled).transpose()?,
                },
            })
        };
        let steps = steps.iter().map(compiled).collect::<Result<_, DataflowError>>()?;
        Ok(Early { steps, templates: Templates::default() })
    }

    /// An expression that is known as early.
    pub(super) fn compiled(expr: &Expr) -> Result<Program, DataflowError> {
        Program::compile(expr).map_err(|error| DataflowError::Plan(error.to_string()))
    }

    pub(super) fn value<'a>(
        &'a self,
        program: &'a Program,
        columns: &[Datum<'a>],
        arena: &'a Bump,
    ) -> Result<Datum<'a>, EvalError> {
        program.evaluate(columns, &self.templates, arena)
    }

    /// The columns of a record behind the steps; `None` for one that they drop or that fails in them.
    /// Such a record is not the business of what comes early: the flow itself does with it what is to
    /// be done.
    pub(super) fn columns<'a>(&'a self, row: &'a [u8], arena: &'a Bump) -> Option<Vec<Datum<'a>>> {
        self.passed(row, arena).ok().flatten()
    }

    /// The columns of a record behind the steps, `None` for one that they drop; or why it fails in them.
    pub(super) fn passed<'a>(
        &'a self,
        row: &'a [u8],
        arena: &'a Bump,
    ) -> Result<Option<Vec<Datum<'a>>>, EvalError> {
        let mut columns: Vec<Datum<'a>> = Items::new(row).collect();
        for step in &self.steps {
            match step {
                Step::Filter(predicate) => {
                    let holds = self.value(predicate, &columns, arena)?;
                    if holds != Datum::Bool(true) {
                        return Ok(None);
                    }
                }
                Step::Compute { column, value, when } => {
                    columns.resize(*column, Datum::Null);
                    let runs = match when {
                        Some(when) => self.value(when, &columns, arena)? == Datum::Bool(true),
                        None => true,
                    };
                    let value = match value {
                        _ if !runs => Datum::Null,
                        Value::Expr(value) => self.value(value, &columns, arena)?,
                        Value::Stage(stage) => {
                            let templates = &self.templates;
                            let mut out = Vec::new();
                            stage.apply(
                                Row { columns: &columns, templates, arena, task: 0 },
                                &mut out,
                            )?;
                            let packed: &'a [u8] = arena.alloc_slice_copy(&out);
                            Items::new(packed).get(0)
                        }
                    };
                    columns.push(value);
                }
            }
        }
        Ok(Some(columns))
    }
}
