//! The steps over contributions as differential operators.
//!
//! A row is one packed row, and every change of a collection is a row with a difference: what was
//! true and is not any more is taken back by the same operators that added it.

use std::rc::Rc;

use bumpalo::Bump;
use differential_dataflow::VecCollection;
use sage_core::expr::{CompileError, EvalError, Program, Templates};
use sage_core::record::{Datum, pack};
use sage_dsl::plan::{AggregatePlan, GroupPlan, LatestPlan, RelationPlan, RelationStep};
use sage_dsl::types::Type;

use super::aggregate::{Cell, compute};
use super::packed::Packed;
use super::{join, pick, window};
use crate::error::DataflowError;

/// The time of a change: the round it belongs to.
pub(crate) type Round = u64;

/// Rows that change.
pub(crate) type Changing<'s> = VecCollection<'s, Round, Packed, isize>;

/// What the steps need beside their rows.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) templates: Rc<Templates>,
    /// Hears of a row that cannot be computed.
    pub(crate) failed: Rc<dyn Fn(DataflowError)>,
}

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
    Emit(Emitted),
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
    sink: usize,
    values: Vec<Program>,
    condition: Option<Program>,
}

/// All steps, and what is said of each that fails.
pub(crate) struct Steps(Vec<(String, Step)>);

impl Steps {
    pub(crate) fn compile(plan: &RelationPlan) -> Result<Steps, DataflowError> {
        let steps = plan.steps.iter().map(compiled).collect::<Result<_, _>>();
        let steps = steps.map_err(|error| DataflowError::Plan(error.to_string()))?;
        Ok(Steps(steps))
    }

    /// Build the operators over `rows` and the records of the sources that are joined, in order; what
    /// each emit sends is handed to `write` with its sink.
    pub(crate) fn render<'s>(
        self,
        rows: Changing<'s>,
        joined: Vec<Changing<'s>>,
        around: &Surroundings,
        mut write: impl FnMut(usize, Changing<'s>),
    ) {
        let mut rows = rows;
        let mut joined = joined.into_iter();
        for (place, step) in self.0 {
            let mut with = Evaluator::new(place, around);
            match step {
                Step::Filter(predicate) => {
                    rows = rows.filter(move |row| with.holds(row, &predicate));
                }
                Step::Compute(program) => {
                    rows = rows.flat_map(move |row| {
                        let mut out = row.0.to_vec();
                        with.pack(&row, std::slice::from_ref(&program), &mut out)
                            .then(|| Packed::from(out))
                    });
                }
                Step::Dedup(keys, order) => rows = pick::first(rows, keys, order, with),
                Step::FlatMap(list) => rows = join::flattened(rows, list, with),
                Step::Join { on, field, left } => {
                    if let Some(records) = joined.next() {
                        rows = join::joined(rows, records, on, (field, left), with);
                    }
                }
                Step::Latest(plan) => rows = pick::latest(rows, &plan),
                Step::Window(at, lengths) => rows = window::windows(rows, at, lengths, with),
                Step::Group(group) => rows = grouped(rows, group, with),
                Step::Emit(emit) => {
                    let sent = rows.clone().flat_map(move |row| {
                        let wanted = emit.condition.as_ref().is_none_or(|it| with.holds(&row, it));
                        let mut out = Vec::new();
                        (wanted && with.pack(&row, &emit.values, &mut out))
                            .then(|| Packed::from(out))
                    });
                    write(emit.sink, sent);
                }
            }
        }
    }
}

fn compiled(step: &RelationStep) -> Result<(String, Step), CompileError> {
    Ok(match step {
        RelationStep::Filter(filter) => {
            let program = Program::compile(&filter.predicate)?;
            (format!("`where {}`", filter.text), Step::Filter(program))
        }
        RelationStep::Compute(stage) => {
            let place = format!("stage `{}` (line {})", stage.name, stage.line);
            (place, Step::Compute(Program::compile(&stage.value)?))
        }
        RelationStep::Dedup(dedup) => {
            let keys = dedup.keys.iter().map(Program::compile).collect::<Result<_, _>>()?;
            (format!("`{}` (line {})", dedup.text, dedup.line), Step::Dedup(keys, dedup.order))
        }
        RelationStep::FlatMap(list) => {
            let place = format!("flat_map `{}` (line {})", list.name, list.line);
            (place, Step::FlatMap(Program::compile(&list.value)?))
        }
        RelationStep::Join(plan) => {
            let on = Program::compile(&plan.on)?;
            let place = format!("`{}` (line {})", plan.text, plan.line);
            (place, Step::Join { on, field: plan.field, left: plan.left })
        }
        RelationStep::Latest(plan) => ("a version".to_owned(), Step::Latest(plan.clone())),
        RelationStep::Window(window) => {
            let at = Program::compile(&window.at)?;
            ("a window".to_owned(), Step::Window(at, (window.size, window.every)))
        }
        RelationStep::Group(group) => {
            (format!("`{}` (line {})", group.text, group.line), Step::Group(Group::compile(group)?))
        }
        RelationStep::Emit(emit) => {
            let values = emit.values.iter().map(Program::compile).collect::<Result<_, _>>()?;
            let condition = emit.condition.as_ref().map(Program::compile).transpose()?;
            ("an `emit`".to_owned(), Step::Emit(Emitted { sink: emit.sink, values, condition }))
        }
    })
}

impl Group {
    fn compile(plan: &GroupPlan) -> Result<Group, CompileError> {
        use sage_dsl::plan::Expr;
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

fn grouped(rows: Changing<'_>, group: Group, with: Evaluator) -> Changing<'_> {
    let mut with = with;
    let (place, failed) = (with.place.clone(), Rc::clone(&with.around.failed));
    let group = Rc::new(group);
    let own = Rc::clone(&group);
    let keyed = rows.flat_map(move |row| {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let good = with.pack(&row, &own.keys, &mut key) && with.pack(&row, &own.values, &mut value);
        good.then(|| (Packed::from(key), Packed::from(value)))
    });
    let reduced = keyed.reduce_named::<_, Packed, isize>("group", move |key, rows, out| {
        let mut row = key.0.to_vec();
        match group.compute(rows, &mut row) {
            Ok(()) => out.push((Packed::from(row), 1)),
            Err(message) => failed(DataflowError::Relation { place: place.clone(), message }),
        }
    });
    reduced.map(|(_, row)| row)
}

/// Computes over one row after the other.
pub(super) struct Evaluator {
    place: String,
    around: Surroundings,
    arena: Bump,
}

impl Evaluator {
    fn new(place: String, around: &Surroundings) -> Self {
        Evaluator { place, around: around.clone(), arena: Bump::new() }
    }

    /// Append the values of `programs`; `false` if one of them cannot be computed.
    pub(super) fn pack(&mut self, row: &Packed, programs: &[Program], out: &mut Vec<u8>) -> bool {
        self.arena.reset();
        let columns = row.columns();
        for program in programs {
            match program.evaluate(&columns, &self.around.templates, &self.arena) {
                Ok(value) => pack(out, value),
                Err(error) => return self.failed(&error),
            }
        }
        true
    }

    /// A time; `None` where there is none.
    pub(super) fn value(&mut self, row: &Packed, program: &Program) -> Option<i64> {
        self.arena.reset();
        match program.evaluate(&row.columns(), &self.around.templates, &self.arena) {
            Ok(value) => value.as_int(),
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn holds(&mut self, row: &Packed, condition: &Program) -> bool {
        self.arena.reset();
        match condition.evaluate(&row.columns(), &self.around.templates, &self.arena) {
            Ok(value) => value == Datum::Bool(true),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &EvalError) -> bool {
        let (place, message) = (self.place.clone(), error.to_string());
        (self.around.failed)(DataflowError::Relation { place, message });
        false
    }
}
