//! The interpreter: one record after the other through the stages of a plan.

use std::sync::Arc;

use bumpalo::Bump;
use sage_core::endpoint::{Answer, Request};
use sage_core::expr::{CompileError, EvalError, Program, Templates};
use sage_core::index::Index;
use sage_core::record::{Datum, Items, pack, pack_vector};
use sage_dsl::plan::Plan;

use super::cost::StageCost;
use super::reading::Reading;
use super::{Answering, Demand, Demands, End, Extent, Question, Shape, Work, reads};
use crate::cost::CostModel;
use crate::error::DataflowError;
use crate::operators::{Emit, Fused, Guarded, Member, Step, corrected};
use crate::segments::{Segment, Segments, segments};
use crate::stages::{Ask, CallStage, Row, Stage};
use crate::wants::{Wanted, Wants};

/// A plan that can be asked what it would do.
pub struct Interpreter {
    plan: Plan,
    segments: Segments,
    emits: Vec<Emit>,
    costs: Vec<StageCost>,
    /// Of the column that each stage appends: whether its value matters.
    needed: Vec<bool>,
    wants: Wants,
    cost: CostModel,
    templates: Templates,
}

/// Where one record stands.
struct Course<'a, C> {
    columns: Vec<Datum<'a>>,
    demand: Demand<C>,
    task: u64,
    /// The last stage it came to.
    stage: Option<u16>,
    before: bool,
    emitted: bool,
}

impl<C> Course<'_, C> {
    fn ends(&mut self, failure: Option<String>) {
        let (stage, before, emitted) = (self.stage, self.before, self.emitted);
        self.demand.end.get_or_insert(End { stage, before, emitted, failure });
    }

    fn fails(&mut self, error: &EvalError) {
        self.ends(Some(error.to_string()));
    }
}

impl Interpreter {
    /// An interpreter of `plan` with its indexes, opened.
    pub fn new(plan: &Plan, indexes: &[Arc<dyn Index>]) -> Result<Self, DataflowError> {
        let broken = |error: CompileError| DataflowError::Plan(error.to_string());
        let costs = plan
            .stages()
            .map(|stage| StageCost::of(stage, indexes))
            .collect::<Result<_, _>>()
            .map_err(broken)?;
        let needed = reads::needed(plan);
        let of_stage = |column: usize| needed.get(column).copied().unwrap_or(true);
        Ok(Interpreter {
            segments: segments(plan, indexes)?,
            emits: Emit::compile(plan)?,
            costs,
            needed: plan.stages().map(|stage| of_stage(stage.column)).collect(),
            wants: Wants::of(&plan.schedule).map_err(broken)?,
            cost: CostModel::of(plan),
            templates: Templates::compile(&plan.templates)
                .map_err(|error| DataflowError::Plan(error.to_string()))?,
            plan: plan.clone(),
        })
    }

    /// The operators of the plan.
    pub fn shape(&self) -> Shape {
        Shape::of(&self.segments)
    }

    /// What the records of the plan's source ask for; `answer` is asked for every call.
    pub fn demands<C>(
        &self,
        extent: Extent,
        answer: &mut Answering<'_, C>,
    ) -> Result<Demands<C>, DataflowError> {
        let source = self.plan.source();
        let source = source.ok_or_else(|| DataflowError::Plan("the flow has no source".into()))?;
        let reading = Reading::of(source, extent)?;
        let distinct = reading.distinct(reads::rounds_differ(&self.plan), extent.distinct);
        let mut arena = Bump::new();
        let mut demands = Vec::with_capacity(distinct);
        for n in 0..distinct {
            let (row, task) = reading.record(n);
            demands.push(self.record(&row, task, answer, &arena));
            arena.reset();
        }
        let Reading { records, unreadable, late, left_out, .. } = reading;
        Ok(Demands { records, unreadable, late, left_out, demands })
    }

    fn record<C>(
        &self,
        row: &[u8],
        task: u64,
        answer: &mut Answering<'_, C>,
        arena: &Bump,
    ) -> Demand<C> {
        let mut work = Vec::new();
        work.resize_with(self.costs.len(), || Work::None);
        let demand = Demand {
            priority: 0,
            expected_ns: None,
            critical_ns: None,
            due_ns: None,
            flow: 0,
            affinity: 0,
            end: None,
            work,
        };
        let row: &[u8] = arena.alloc_slice_copy(row);
        let columns = Items::new(row).collect();
        let mut course =
            Course { columns, demand, task, stage: None, before: true, emitted: false };
        for segment in &self.segments.before {
            self.segment(segment, &mut course, answer, arena);
        }
        course.before = false;
        if course.demand.end.is_none() {
            self.schedule(&mut course, arena);
        }
        for segment in &self.segments.behind {
            self.segment(segment, &mut course, answer, arena);
        }
        course.emitted = true;
        if course.demand.end.is_none() {
            self.emit(&mut course, arena);
        }
        course.demand
    }

    fn schedule<'a, C>(&'a self, course: &mut Course<'a, C>, arena: &'a Bump) {
        let Course { columns, demand, .. } = course;
        let Wanted { priority, due_ns, flow, affinity } =
            self.wants.read(columns, &self.templates, arena);
        (demand.priority, demand.due_ns) = (priority, due_ns);
        (demand.flow, demand.affinity) = (flow, affinity);
        demand.expected_ns = self.cost.expected_ns(columns, &self.templates, arena);
        let declared = self.cost.declared(columns, &self.templates, arena);
        if declared.complete {
            demand.critical_ns = Some(declared.chain_ns.clamp(0.0, 1e15) as u64);
        }
    }

    fn segment<'a, C>(
        &'a self,
        segment: &'a Segment,
        course: &mut Course<'a, C>,
        answer: &mut Answering<'_, C>,
        arena: &'a Bump,
    ) {
        if course.demand.end.is_some() {
            return;
        }
        match segment {
            Segment::Fused(fused) => self.fused(fused, course, arena),
            Segment::Call(members) => self.group(members, course, answer, arena),
        }
    }

    fn fused<'a, C>(&'a self, fused: &'a Fused, course: &mut Course<'a, C>, arena: &'a Bump) {
        for Guarded { step, when } in &fused.steps {
            let Course { columns, task, .. } = &*course;
            let row = Row { columns, templates: &self.templates, arena, task: *task };
            match runs(row, when.as_ref()) {
                Ok(true) => {}
                Ok(false) => {
                    course.columns.push(Datum::Null);
                    continue;
                }
                Err(error) => {
                    course.stage = step.stage();
                    return course.fails(&error);
                }
            }
            let mut cost = None;
            if let Some(stage) = step.stage() {
                cost = self.costs.get(usize::from(stage)).map(|cost| cost.work(row));
            }
            let value = match step {
                Step::Filter(program) | Step::Keep { program, .. } | Step::Map { program, .. } => {
                    row.get(program)
                }
                Step::Apply { stage, run, .. } => {
                    let mut packed = Vec::new();
                    let matters = self.needed.get(usize::from(*stage)).copied().unwrap_or(true);
                    let done = if matters {
                        run.foresee(row, &mut packed)
                    } else {
                        run.stand_in(row, &mut packed)
                    };
                    let packed: &'a [u8] = arena.alloc_slice_copy(&packed);
                    done.map(|()| Items::new(packed).get(0))
                }
            };
            if let Some(stage) = step.stage() {
                course.stage = Some(stage);
                if let (Some(work), Some(cost)) =
                    (course.demand.work.get_mut(usize::from(stage)), cost)
                {
                    *work = cost;
                }
            }
            let value = match value {
                Ok(value) => value,
                Err(error) => return course.fails(&error),
            };
            if !matches!(step, Step::Filter(_)) {
                course.columns.push(value);
            }
            let kept = matches!(step, Step::Map { .. } | Step::Apply { .. });
            if !kept && value != Datum::Bool(true) {
                return course.ends(None);
            }
        }
    }

    /// Stages side by side: all of them are asked, whatever becomes of one.
    fn group<'a, C>(
        &'a self,
        members: &'a [Member],
        course: &mut Course<'a, C>,
        answer: &mut Answering<'_, C>,
        arena: &'a Bump,
    ) {
        let mut packed = Vec::new();
        for member in members {
            let Course { columns, task, .. } = &*course;
            let row = Row { columns, templates: &self.templates, arena, task: *task };
            let mut column = Vec::new();
            let guard = runs(row, member.when.as_ref());
            if let Ok(false) = guard {
                pack(&mut column, Datum::Null);
                packed.push(column);
                continue;
            }
            let (work, failure) = match &member.run {
                _ if guard.is_err() => (Work::None, guard.err().map(|error| error.to_string())),
                Stage::Wait(time) => match row.count(time) {
                    Ok(ns) => {
                        pack(&mut column, Datum::Int(i64::try_from(ns).unwrap_or(i64::MAX)));
                        (Work::Wait(ns as u64), None)
                    }
                    Err(error) => (Work::None, Some(error.to_string())),
                },
                Stage::Call(call) => match call.question(row) {
                    Ok(text) => {
                        let (calls, result) = asked(member.stage, call, text, &mut column, answer);
                        (Work::Calls(calls), result.err())
                    }
                    Err(error) => (Work::None, Some(error.to_string())),
                },
                Stage::Local(_) | Stage::Map(_) | Stage::Keep(_) => (Work::None, None),
            };
            course.stage = Some(member.stage);
            if let Some(place) = course.demand.work.get_mut(usize::from(member.stage)) {
                *place = work;
            }
            if let Some(failure) = failure {
                course.ends(Some(failure));
            }
            packed.push(column);
        }
        for column in packed {
            let column: &'a [u8] = arena.alloc_slice_copy(&column);
            course.columns.push(Items::new(column).get(0));
        }
    }

    /// Values that are only read from a column are there; what is computed may fail.
    fn emit<'a, C>(&'a self, course: &mut Course<'a, C>, arena: &'a Bump) {
        let failed = self
            .emits
            .iter()
            .find_map(|emit| emit.rehearse(&course.columns, &self.templates, arena).err());
        if let Some(error) = failed {
            course.fails(&error);
        }
    }
}

/// Whether a stage is for the record in `row`.
fn runs(row: Row<'_, '_>, when: Option<&Program>) -> Result<bool, EvalError> {
    when.map_or(Ok(true), |when| row.get(when).map(|runs| runs == Datum::Bool(true)))
}

/// Ask until the answer fits, as often as the stage says; append it to `column`.
fn asked<C>(
    stage: u16,
    call: &CallStage,
    first: String,
    column: &mut Vec<u8>,
    answer: &mut Answering<'_, C>,
) -> (Vec<C>, Result<(), String>) {
    let mut calls = Vec::new();
    let mut text = first.clone();
    let repair = call.structured.as_ref().map_or(0, |structured| structured.repair);
    for left in (0..=repair).rev() {
        let request = match &call.ask {
            Ask::Generate(options) => {
                Request::Generate { prompts: vec![text.clone()], options: options.clone() }
            }
            Ask::Embed => Request::Embed { texts: vec![text.clone()] },
            Ask::Exec(command) => {
                Request::Exec { command: Arc::clone(command), lines: vec![text.clone()] }
            }
            Ask::Http(call) => Request::Http { call: Arc::clone(call), bodies: vec![text.clone()] },
        };
        let question = Question { stage, endpoint: call.endpoint, request };
        let (answer, cost) = match answer(&question) {
            Ok(answered) => answered,
            Err(error) => return (calls, Err(error.to_string())),
        };
        calls.push(cost);
        let generation = match answer {
            Answer::Embedded { vectors, .. } => {
                pack_vector(column, vectors.first().map_or(&[], Vec::as_slice));
                return (calls, Ok(()));
            }
            Answer::Generated(texts) => texts.into_iter().next().unwrap_or_default(),
        };
        let Some(structured) = &call.structured else {
            call.pack_text(column, &generation);
            return (calls, Ok(()));
        };
        column.clear();
        let Err(mut why) = structured.answer.read(column, &generation.text) else {
            return (calls, Ok(()));
        };
        if generation.finish == "length" {
            why.push_str("; it was cut off at `max_tokens`");
        }
        if left == 0 {
            return (calls, Err(why));
        }
        text = corrected(&first, &generation, &why);
    }
    (calls, Ok(()))
}
