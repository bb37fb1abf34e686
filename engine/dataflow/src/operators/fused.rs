//! `fused`: stages that compute on the spot, and filters, run one after the other on each record
//! without leaving the operator.
//!
//! Values of earlier steps stay borrowed (from the row or the batch's arena) while later steps read
//! them; each new column is packed once, at the end. A segment of cheap steps at the very end of a
//! flow is not an operator at all: `complete` runs it and emits straight from the borrowed values.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bumpalo::Bump;
use sage_core::event::{Event, Kind};
use sage_core::expr::{EvalError, Program};
use sage_core::record::{Datum, Items, Rows, pack};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::{Held, Tasks};
use crate::context::Context;
use crate::stages::{LocalStage, Row};
use crate::task::{Dead, EXPRESSION, Task};

/// One step of a fused segment.
pub(crate) enum Step {
    /// Keep records for which this is true.
    Filter(Program),
    /// Keep records for which this is true; the truth value is a column.
    Keep { stage: u16, program: Program },
    /// Compute a column by an expression.
    Map { stage: u16, name: String, program: Program },
    /// Compute a column.
    Apply { stage: u16, name: String, run: Box<dyn LocalStage> },
}

impl Step {
    /// Position of the stage whose column it computes, if it is one.
    pub(crate) fn stage(&self) -> Option<u16> {
        match self {
            Step::Filter(_) => None,
            Step::Keep { stage, .. } | Step::Map { stage, .. } | Step::Apply { stage, .. } => {
                Some(*stage)
            }
        }
    }

    /// As a failure in it is named.
    fn name(&self) -> &str {
        match self {
            Step::Filter(_) => "where",
            Step::Keep { .. } => "filter",
            Step::Map { name, .. } | Step::Apply { name, .. } => name,
        }
    }
}

/// A step, and the records that it is for.
pub(crate) struct Guarded {
    pub(crate) step: Step,
    /// Where this is not true the step does nothing, and its column is null.
    pub(crate) when: Option<Program>,
}

/// A fused segment.
#[derive(Default)]
pub(crate) struct Fused {
    pub(crate) steps: Vec<Guarded>,
}

/// An activation works this long at most; then others get their turn.
const TURN: Duration = Duration::from_millis(1);
/// In a morsel one record in so many is timed per stage: reading the clock would cost as much as a
/// cheap stage.
const SAMPLE: usize = 16;

pub(crate) fn fused<'s>(tasks: Tasks<'s>, context: &Rc<Context>, segment: Fused) -> Tasks<'s> {
    let context = Rc::clone(context);
    let scope = tasks.scope();
    let mut builder = OperatorBuilder::new("fused".into(), scope);
    let mut input = builder.new_input(tasks, Pipeline);
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Task>>>::from(output);
    let again = scope.activator_for(builder.operator_info().address);
    builder.build(move |_| {
        let mut waiting: VecDeque<Task> = VecDeque::new();
        let mut held = Held::default();
        let mut arena = Bump::new();
        move |_| {
            input.for_each(|capability, tasks| {
                held.add(&capability, 0);
                waiting.extend(tasks.drain(..));
            });
            let Some(capability) = held.get() else { return };
            let mut output = output.activate();
            let mut session = output.session(capability);
            let began_ns = context.clock.stopwatch_ns();
            while let Some(mut task) = waiting.pop_front() {
                segment.run(&mut task, &context, &arena);
                arena.reset();
                session.give(task);
                let spent_ns = context.clock.stopwatch_ns().saturating_sub(began_ns);
                if spent_ns >= TURN.as_nanos() as u64 {
                    break;
                }
            }
            drop(session);
            if waiting.is_empty() {
                held.release();
            } else {
                again.activate();
            }
        }
    });
    stream
}

/// Time spent in each step on one task, as far as it was sampled.
pub(crate) struct Spent {
    step_ns: Vec<u64>,
    /// By step: whether it did something for a record.
    ran: Vec<bool>,
    every: usize,
    /// Whether there was a record at all.
    any: bool,
}

impl Fused {
    fn run(&self, task: &mut Task, context: &Context, arena: &Bump) {
        let rows = std::mem::take(&mut task.rows);
        let mut kept = Rows::with_capacity(rows.len(), rows.byte_len() + 16 * rows.len());
        let mut spent = self.spent(rows.len());
        let mut columns: Vec<Datum<'_>> = Vec::new();
        let mut scratch = Vec::new();
        for i in 0..rows.len() {
            rows.unpack(i, &mut columns);
            let own = columns.len();
            match self.row(i, &mut columns, &mut scratch, context, arena, task.id, &mut spent) {
                Ok(true) => kept.push(|out| {
                    out.extend_from_slice(rows.row(i));
                    columns[own..].iter().for_each(|datum| pack(out, *datum));
                }),
                Ok(false) => {}
                Err((stage, error)) => {
                    context.note_failed(stage, task.id);
                    task.dead.push(buried(stage, &error, rows.row(i)));
                }
            }
        }
        self.note(&spent, task, context);
        task.rows = kept;
    }

    /// Nothing spent yet on a task of `rows` records.
    pub(crate) fn spent(&self, rows: usize) -> Spent {
        let every = if rows > 1 { SAMPLE } else { 1 };
        let steps = self.steps.len();
        Spent { step_ns: vec![0; steps], ran: vec![false; steps], every, any: rows > 0 }
    }

    /// Run all steps on record `i`; new columns are appended. `Ok(false)`: the record is dropped.
    #[expect(clippy::too_many_arguments, reason = "the borrowed state of one batch")]
    pub(crate) fn row<'a>(
        &'a self,
        i: usize,
        columns: &mut Vec<Datum<'a>>,
        scratch: &mut Vec<u8>,
        context: &'a Context,
        arena: &'a Bump,
        task: u64,
        spent: &mut Spent,
    ) -> Result<bool, (&'a str, EvalError)> {
        let timed = i.is_multiple_of(spent.every);
        let notes = spent.step_ns.iter_mut().zip(&mut spent.ran);
        for (Guarded { step, when }, (step_ns, ran)) in self.steps.iter().zip(notes) {
            let began_ns = timed.then(|| context.clock.stopwatch_ns());
            let row = Row { columns, templates: &context.templates, arena, task };
            if let Some(when) = when {
                let runs = row.get(when).map_err(|error| (step.name(), error))?;
                if runs != Datum::Bool(true) {
                    columns.push(Datum::Null);
                    continue;
                }
            }
            *ran = true;
            let keep = match step {
                Step::Filter(program) => {
                    row.get(program).map_err(|error| (step.name(), error))? == Datum::Bool(true)
                }
                Step::Keep { program, .. } => {
                    let keep = row.get(program).map_err(|error| (step.name(), error))?;
                    columns.push(keep);
                    keep == Datum::Bool(true)
                }
                Step::Map { program, .. } => {
                    let value = row.get(program).map_err(|error| (step.name(), error))?;
                    columns.push(value);
                    true
                }
                Step::Apply { run, .. } => {
                    scratch.clear();
                    worked(run.as_ref(), row, scratch, context)
                        .map_err(|error| (step.name(), error))?;
                    let packed: &'a [u8] = arena.alloc_slice_copy(scratch);
                    columns.push(Items::new(packed).get(0));
                    true
                }
            };
            if let Some(began_ns) = began_ns {
                *step_ns += context.clock.stopwatch_ns().saturating_sub(began_ns);
            }
            if !keep {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Note what was spent on a task. A stage that none of its records came to is not heard of.
    pub(crate) fn note(&self, spent: &Spent, task: &Task, context: &Context) {
        if !spent.any {
            return;
        }
        let notes = spent.step_ns.iter().zip(&spent.ran);
        for (guarded, (step_ns, ran)) in self.steps.iter().zip(notes) {
            let Some(stage) = guarded.step.stage().filter(|_| *ran) else {
                continue;
            };
            let event = Event::new(Kind::StageDone, task.id, context.clock.now_ns());
            let value = step_ns * spent.every as u64;
            context.note(Event { stage, value, records: task.records, ..event });
        }
    }
}

/// Let a stage work. In virtual time one that only keeps a core busy lets the time pass instead.
fn worked(
    run: &dyn LocalStage,
    row: Row<'_, '_>,
    out: &mut Vec<u8>,
    context: &Context,
) -> Result<(), EvalError> {
    match (context.clock.as_virtual(), run.busy_ns(row)) {
        (Some(clock), Some(ns)) => {
            clock.pass(ns);
            run.foresee(row, out)
        }
        _ => run.apply(row, out),
    }
}

/// A record that failed in a step.
pub(crate) fn buried(stage: &str, error: &EvalError, row: &[u8]) -> Dead {
    Dead {
        stage: stage.to_owned(),
        attempts: 1,
        class: EXPRESSION.into(),
        status: None,
        message: error.to_string(),
        row: row.to_vec(),
    }
}
