//! The steps over contributions as differential operators.
//!
//! A row is one packed row, and every change of a collection is a row with a difference: what was
//! true and is not any more is taken back by the same operators that added it.

use std::rc::Rc;

use differential_dataflow::VecCollection;
use sage_core::expr::{CompileError, Program, Templates};
use sage_core::record::Datum;
use sage_dsl::plan::{
    AggregatePlan, EmitPlan, Expr, GroupPlan, LatestPlan, RelationPlan, RelationStep,
};
use sage_dsl::types::Type;

use super::aggregate::{Cell, compute};
use super::failed::{Evaluator, Failed, FailedRows, Failures, Place};
use super::packed::Packed;
use super::sight::Sight;
use super::{join, pick, window};
use crate::error::DataflowError;

/// The time of a change: the round it belongs to.
pub(crate) type Round = u64;

/// Rows that change.
pub(crate) type Changing<'s> = VecCollection<'s, Round, Packed, isize>;

/// A step, ready to be run.
enum Step {
    Filter(Program),
    /// One more column.
    Compute(Program),
    Dedup(Vec<Program>, Option<usize>),
    FlatMap(Program),
    Join {
        on: Program,
        field: usize,
        left: bool,
    },
    Latest(LatestPlan),
    Window(Program, (i64, i64)),
    Group(Group),
    /// Emits that follow each other: of a row all of them write, or none.
    Emits(Vec<Emitted>),
}

struct Group {
    keys: Vec<Program>,
    /// Of every aggregate what it looks at: value, order of the values; then numbers of the records.
    values: Vec<Program>,
    aggregates: Vec<Looked>,
}

/// An aggregate, and where it finds what it looks at.
struct Looked {
    plan: AggregatePlan,
    ty: Type,
    value: Option<usize>,
    by: Option<usize>,
    order: Option<usize>,
}

struct Emitted {
    place: u32,
    sink: usize,
    values: Vec<Program>,
    condition: Option<Program>,
}

/// All steps, and the place of each among those where rows may fail.
pub(crate) struct Steps {
    steps: Vec<(u32, Step)>,
    places: Vec<Place>,
}

impl Steps {
    pub(crate) fn compile(plan: &RelationPlan) -> Result<Steps, DataflowError> {
        let mut steps = Steps { steps: Vec::new(), places: Vec::new() };
        let mut sight = Sight::of(plan);
        for step in &plan.steps {
            let added = steps.add(step, &mut sight);
            added.map_err(|error| DataflowError::Plan(error.to_string()))?;
        }
        Ok(steps)
    }

    /// Where rows may fail.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.places.clone()
    }

    fn add(&mut self, step: &RelationStep, sight: &mut Sight) -> Result<(), CompileError> {
        let place = self.places.len() as u32;
        self.places.push(sight.place(step));
        sight.pass(step);
        if let RelationStep::Emit(plan) = step {
            let emit = Emitted::compile(plan, place)?;
            match self.steps.last_mut() {
                Some((_, Step::Emits(emits))) => emits.push(emit),
                _ => self.steps.push((place, Step::Emits(vec![emit]))),
            }
            return Ok(());
        }
        if matches!(step, RelationStep::Group(_)) {
            // What fails then is a group, of which the keys are known.
            self.places.push(sight.group(step));
        }
        self.steps.push((place, compiled(step)?));
        Ok(())
    }

    /// Build the operators over `rows` and the records of the sources that are joined, in order; what
    /// each emit sends is handed to `write` with its sink. What is left are the rows that failed.
    pub(crate) fn render<'s>(
        self,
        rows: Changing<'s>,
        joined: Vec<Changing<'s>>,
        templates: &Rc<Templates>,
        mut write: impl FnMut(usize, Changing<'s>),
    ) -> FailedRows<'s> {
        let scope = rows.inner.scope();
        let mut rows = rows;
        let mut joined = joined.into_iter();
        let mut failures = Failures::default();
        for (place, step) in self.steps {
            let mut with = Evaluator::new(place, templates);
            match step {
                Step::Filter(predicate) => {
                    let kept = rows.flat_map(move |row| {
                        with.holds(&row, &predicate).map(|holds| holds.then_some(row)).transpose()
                    });
                    rows = failures.part(kept);
                }
                Step::Compute(program) => {
                    let program = [program];
                    rows = failures.part(rows.map(move |row| {
                        let mut out = row.0.to_vec();
                        with.pack(&row, &program, &mut out).map(|()| Packed::from(out))
                    }));
                }
                Step::Dedup(keys, order) => {
                    rows = pick::first(rows, keys, order, with, &mut failures);
                }
                Step::FlatMap(list) => rows = join::flattened(rows, list, with, &mut failures),
                Step::Join { on, field, left } => {
                    if let Some(records) = joined.next() {
                        let how = (field, left);
                        rows = join::joined(rows, records, on, how, with, &mut failures);
                    }
                }
                Step::Latest(plan) => rows = pick::latest(rows, &plan),
                Step::Window(at, lengths) => {
                    rows = window::windows(rows, at, lengths, with, &mut failures);
                }
                Step::Group(group) => rows = grouped(rows, group, (place, with), &mut failures),
                Step::Emits(emits) => {
                    let sinks: Vec<usize> = emits.iter().map(|emit| emit.sink).collect();
                    let sent =
                        rows.map(move |row| send(&row, &emits, &mut with).map(|sent| (row, sent)));
                    let sent = failures.part(sent);
                    for (at, sink) in sinks.into_iter().enumerate() {
                        let mine = move |(_, sent): (Packed, Vec<Option<Packed>>)| {
                            sent.into_iter().nth(at).flatten()
                        };
                        write(sink, sent.clone().flat_map(mine));
                    }
                    rows = sent.map(|(row, _)| row);
                }
            }
        }
        failures.all(scope)
    }
}

/// What each of the emits makes of a row, if it wants it.
fn send(
    row: &Packed,
    emits: &[Emitted],
    with: &mut Evaluator,
) -> Result<Vec<Option<Packed>>, Failed> {
    let mut sent = Vec::with_capacity(emits.len());
    for emit in emits {
        let with = with.at(emit.place);
        let wanted = match &emit.condition {
            Some(condition) => with.holds(row, condition)?,
            None => true,
        };
        let mut out = Vec::new();
        if wanted {
            with.pack(row, &emit.values, &mut out)?;
        }
        sent.push(wanted.then(|| Packed::from(out)));
    }
    Ok(sent)
}

fn compiled(step: &RelationStep) -> Result<Step, CompileError> {
    Ok(match step {
        RelationStep::Filter(filter) => Step::Filter(Program::compile(&filter.predicate)?),
        RelationStep::Compute(stage) => Step::Compute(Program::compile(&stage.value)?),
        RelationStep::Dedup(dedup) => {
            let keys = dedup.keys.iter().map(Program::compile).collect::<Result<_, _>>()?;
            Step::Dedup(keys, dedup.order)
        }
        RelationStep::FlatMap(list) => Step::FlatMap(Program::compile(&list.value)?),
        RelationStep::Join(plan) => {
            Step::Join { on: Program::compile(&plan.on)?, field: plan.field, left: plan.left }
        }
        RelationStep::Latest(plan) => Step::Latest(plan.clone()),
        RelationStep::Window(window) => {
            Step::Window(Program::compile(&window.at)?, (window.size, window.every))
        }
        RelationStep::Group(group) => Step::Group(Group::compile(group)?),
        RelationStep::Emit(emit) => Step::Emits(vec![Emitted::compile(emit, 0)?]),
    })
}

impl Emitted {
    fn compile(plan: &EmitPlan, place: u32) -> Result<Self, CompileError> {
        let values = plan.values.iter().map(Program::compile).collect::<Result<_, _>>()?;
        let condition = plan.condition.as_ref().map(Program::compile).transpose()?;
        Ok(Emitted { place, sink: plan.sink, values, condition })
    }
}

impl Group {
    fn compile(plan: &GroupPlan) -> Result<Group, CompileError> {
        let keys = plan.keys.iter().map(Program::compile).collect::<Result<_, _>>()?;
        let mut values: Vec<Program> = Vec::new();
        let mut aggregates = Vec::new();
        for (aggregate, column) in
            plan.aggregates.iter().zip(plan.columns.iter().skip(plan.keys.len()))
        {
            let mut place = |expr: &Expr| -> Result<usize, CompileError> {
                values.push(Program::compile(expr)?);
                Ok(values.len() - 1)
            };
            let value = aggregate.value.as_ref().map(&mut place).transpose()?;
            let by = aggregate.by.as_ref().map(&mut place).transpose()?;
            // Only who asks for it pays for it: with its number no record is like another.
            let ordered = aggregate.order.filter(|_| asks_for_order(aggregate));
            let order = ordered.map(|at| place(&Expr::Column(at))).transpose()?;
            if let Some(at) = ordered {
                place(&Expr::Column(at + 1))?;
            }
            let (plan, ty) = (aggregate.clone(), column.ty.clone());
            aggregates.push(Looked { plan, ty, value, by, order });
        }
        Ok(Group { keys, values, aggregates })
    }

    /// Append the aggregates of the rows of a group.
    fn compute(&self, rows: &[(&Packed, isize)], out: &mut Vec<u8>) -> Result<(), String> {
        let width = self.values.len();
        let mut cells = Vec::with_capacity(width * rows.len());
        for (row, _) in rows {
            cells.extend(row.columns());
            cells.resize(cells.len().next_multiple_of(width.max(1)), Datum::Null);
        }
        for looked in &self.aggregates {
            let cell = |at: usize, (_, count): &(&Packed, isize)| {
                let get = |place: Option<usize>| {
                    place.and_then(|place| cells.get(at * width + place)).copied()
                };
                let number = |place| get(place).and_then(Datum::as_int).unwrap_or(0);
                Cell {
                    value: get(looked.value).unwrap_or(Datum::Null),
                    by: get(looked.by).unwrap_or(Datum::Null),
                    order: (number(looked.order), number(looked.order.map(|at| at + 1))),
                    count: u64::try_from(*count).unwrap_or(0),
                }
            };
            let cells = rows.iter().enumerate().map(|(at, row)| cell(at, row));
            compute(&looked.plan, &looked.ty, cells.filter(|cell| cell.count > 0), out)
                .map_err(|why| format!("`{}`: {why}", looked.plan.name))?;
        }
        Ok(())
    }
}

fn asks_for_order(plan: &AggregatePlan) -> bool {
    plan.aggregate == sage_dsl::plan::Aggregate::Collect
}

fn grouped<'s>(
    rows: Changing<'s>,
    group: Group,
    (place, mut with): (u32, Evaluator),
    failures: &mut Failures<'s>,
) -> Changing<'s> {
    let group = Rc::new(group);
    let own = Rc::clone(&group);
    let keyed = failures.part(rows.map(move |row| {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        with.pack(&row, &own.keys, &mut key)?;
        with.pack(&row, &own.values, &mut value)?;
        Ok((Packed::from(key), Packed::from(value)))
    }));
    let reduced =
        keyed.reduce_named::<_, Result<Packed, Failed>, isize>("group", move |key, rows, out| {
            let mut row = key.0.to_vec();
            let computed = group.compute(rows, &mut row).map(|()| Packed::from(row));
            let failed = |message| Failed { place: place + 1, message, row: key.clone() };
            out.push((computed.map_err(failed), 1));
        });
    failures.part(reduced.map(|(_, row)| row))
}
