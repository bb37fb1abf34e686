//! `complete`: the end of a task on its worker. Its records go to the sinks, its failures to the
//! dead letters, word of it to the scheduler, its events to the measurement.

use std::rc::Rc;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use sage_core::event::{Event, Kind};
use sage_core::expr::{CompileError, EvalError, Program, Templates};
use sage_core::record::Datum;
use sage_dsl::plan::{Expr, Node, Plan};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Stream, StreamVec};

use super::fused::buried;
use super::{Fused, Held, Tasks, Time, reply_of};
use crate::commit::Outcomes;
use crate::context::Context;
use crate::error::DataflowError;
use crate::pod::PodVec;
use crate::task::{Counted, DEADLINE, Dead, Done, Printed, Replied, Task};

/// Where a record fails whose rows cannot be made.
const EMIT: &str = "emit";

/// An `emit` of a plan: sink, values, condition, whether it is numbered.
type Written<'p> = (usize, &'p Vec<Expr>, Option<&'p Expr>, bool);

/// One `emit`, or what a record contributes to the steps over all records.
pub(crate) struct Emit {
    sink: usize,
    values: Vec<Program>,
    condition: Option<Program>,
    /// Whether numbers of task and record follow the values.
    numbered: bool,
}

impl Emit {
    /// Compile the emits of a plan.
    pub(crate) fn compile(plan: &Plan) -> Result<Vec<Emit>, DataflowError> {
        let emits = plan.nodes.iter().filter_map(|node| match node {
            Node::Emit(emit) => Some((emit.sink, &emit.values, emit.condition.as_ref(), false)),
            // Its number follows those of the sinks.
            Node::Relate(relation) => {
                Some((plan.sinks.len(), &relation.values, None, relation.numbered))
            }
            Node::Source(_) | Node::Filter(_) | Node::Stage(_) | Node::Schedule => None,
        });
        let compiled = |(sink, values, condition, numbered): Written<'_>| {
            let values = values.iter().map(Program::compile).collect::<Result<_, _>>()?;
            let condition = condition.map(Program::compile).transpose()?;
            Ok(Emit { sink, values, condition, numbered })
        };
        let compiled: Result<_, CompileError> = emits.map(compiled).collect();
        compiled.map_err(|error| DataflowError::Plan(error.to_string()))
    }
}

impl Emit {
    /// Compute the values of a record that would be written, and write nothing.
    pub(crate) fn rehearse<'a>(
        &'a self,
        columns: &[Datum<'a>],
        templates: &'a Templates,
        arena: &'a Bump,
    ) -> Result<(), EvalError> {
        evaluate(self, columns, templates, arena, &mut Vec::new()).map(drop)
    }
}

/// The streams a completed task leaves behind.
pub(crate) struct Completed<'s> {
    pub(crate) done: StreamVec<'s, Time, Done>,
    pub(crate) events: Stream<'s, Time, PodVec<Event>>,
    pub(crate) printed: StreamVec<'s, Time, Printed>,
    pub(crate) replies: StreamVec<'s, Time, Replied>,
    pub(crate) counted: StreamVec<'s, Time, Counted>,
}

pub(crate) fn complete<'s>(
    tasks: Tasks<'s>,
    context: &Rc<Context>,
    last: Fused,
    emits: Vec<Emit>,
) -> Completed<'s> {
    let context = Rc::clone(context);
    let scope = tasks.scope();
    let mut builder = OperatorBuilder::new("complete".into(), scope);
    let mut input = builder.new_input(tasks, Pipeline);
    let (done_output, done) = builder.new_output();
    let (event_output, events) = builder.new_output();
    let (print_output, printed) = builder.new_output();
    let (reply_output, replies) = builder.new_output();
    let (count_output, counted) = builder.new_output();
    let mut done_output =
        OutputBuilder::<_, CapacityContainerBuilder<Vec<Done>>>::from(done_output);
    let mut event_output =
        OutputBuilder::<_, CapacityContainerBuilder<PodVec<Event>>>::from(event_output);
    let mut print_output =
        OutputBuilder::<_, CapacityContainerBuilder<Vec<Printed>>>::from(print_output);
    let mut reply_output =
        OutputBuilder::<_, CapacityContainerBuilder<Vec<Replied>>>::from(reply_output);
    let mut count_output =
        OutputBuilder::<_, CapacityContainerBuilder<Vec<Counted>>>::from(count_output);
    let again = scope.activator_for(builder.operator_info().address);
    builder.build(move |mut capabilities| {
        // Word of a completion takes one step more than events do, over the feedback operator. So
        // events wait for the next step: both leave in one message and wake the first worker once.
        let mut unsent = Held::default();
        // Kept until the last task has ended, for the counts. Those of earlier generations are there
        // even when no task comes. (Of the last output, at time 0, as the source keeps one.)
        let mut last_word = capabilities.pop();
        let mut arena = Bump::new();
        let mut finished: Vec<Done> = Vec::new();
        let mut answered: Vec<Replied> = Vec::new();
        move |frontiers| {
            if let Some(capability) = unsent.get() {
                let mut event_output = event_output.activate();
                event_output.session(capability).give_iterator(context.log.borrow_mut().drain(..));
            }
            unsent.release();
            input.for_each(|capability, tasks| {
                // The first worker's own events are taken from the log itself: in the stream, later
                // ones could overtake them.
                if !context.first {
                    unsent.add(&capability, 1);
                    again.activate();
                }
                for mut task in tasks.drain(..) {
                    finished.push(finish(&mut task, &last, &emits, &context, &arena));
                    if context.served {
                        answered.push(reply_of(&task, &context));
                    }
                    arena.reset();
                }
                context.settle();
                context.contribute();
                let mut print_output = print_output.activate();
                let mut session = print_output.session(&capability);
                for (sink, text) in context.outlets.borrow_mut().take_printed() {
                    session.give(Printed { sink: sink as u32, text });
                }
                drop(session);
                let mut reply_output = reply_output.activate();
                reply_output.session(&capability).give_iterator(answered.drain(..));
                let mut done_output = done_output.activate();
                done_output.session(&capability).give_iterator(finished.drain(..));
            });
            if frontiers[0].is_empty()
                && let Some(capability) = last_word.take()
            {
                let mut count_output = count_output.activate();
                let mut session = count_output.session(&capability);
                session.give_iterator(context.outlets.borrow_mut().take_counts());
                if let Some(feed) = &context.feed {
                    context.outlets.borrow_mut().secure();
                    feed.close();
                }
            }
        }
    });
    Completed { done, events, printed, replies, counted }
}

fn finish(task: &mut Task, last: &Fused, emits: &[Emit], context: &Context, arena: &Bump) -> Done {
    if task.given_back {
        return given_back(task, context);
    }
    let mut spent = last.spent(task.rows.len());
    let mut columns: Vec<Datum<'_>> = Vec::new();
    let (mut scratch, mut values) = (Vec::new(), Vec::new());
    let mut failed = Vec::new();
    for i in 0..task.rows.len() {
        task.rows.unpack(i, &mut columns);
        let result = last
            .row(i, &mut columns, &mut scratch, context, arena, task.id, &mut spent)
            .and_then(|keep| {
                if !keep {
                    return Ok(0);
                }
                emit_all(emits, &columns, context, arena, (task.id, i), &mut values)
                    .map_err(|error| (EMIT, error))
            });
        match result {
            Ok(0 | 1) => {}
            Ok(answers) => {
                context.note_failed(EMIT, task.id);
                failed.push(several(answers, task.rows.row(i)));
            }
            Err((stage, error)) => {
                context.note_failed(stage, task.id);
                failed.push(buried(stage, &error, task.rows.row(i)));
            }
        }
    }
    last.note(&spent, task, context);
    drop((columns, values));
    task.dead.append(&mut failed);
    let dead = task.dead.len() as u64;
    for letter in &task.dead {
        context.outlets.borrow_mut().bury(task.id, letter);
    }
    let now = context.clock.now_ns();
    if task.scheduled {
        context.slots.give_back();
    }
    let records = u64::from(task.records);
    let value = records.saturating_sub(dead);
    // A task is late when nothing but the deadline kept its records from an end.
    let late = dead > 0 && value == 0 && task.dead.iter().all(|letter| letter.class == DEADLINE);
    let outcomes = if late {
        Outcomes { late: records, ..Outcomes::default() }
    } else {
        Outcomes { ok: value, dead: records - value, ..Outcomes::default() }
    };
    context.outlets.borrow_mut().end(task.id, outcomes);
    context.note(Event {
        value,
        extra: dead,
        detail: task.attempts,
        records: task.records,
        ..Event::new(if late { Kind::Shed } else { Kind::Completed }, task.id, now)
    });
    Done {
        id: task.id,
        node: context.node,
        scheduled: task.scheduled,
        service_ns: now.saturating_sub(task.started_ns),
        ok: dead == 0,
        given_back: 0,
    }
}

/// A task that did not end leaves nothing: it is done anew when the run goes on.
fn given_back(task: &Task, context: &Context) -> Done {
    if task.scheduled {
        context.slots.give_back();
    }
    Done {
        id: task.id,
        node: context.node,
        scheduled: task.scheduled,
        service_ns: 0,
        ok: false,
        given_back: task.records,
    }
}

/// A request with more answers than one.
fn several(answers: usize, row: &[u8]) -> Dead {
    Dead {
        stage: EMIT.to_owned(),
        attempts: 1,
        class: "several_rows".into(),
        status: None,
        message: format!(
            "the flow emitted {answers} rows for the request, and an answer is one; give its emits \
             conditions of which one holds"
        ),
        row: row.to_vec(),
    }
}

/// Write one record to all its sinks. All values are computed first: a record must not be half
/// emitted. Gives the rows that are answers to a client; several are an error, and nothing of such a
/// record is written.
fn emit_all<'a>(
    emits: &'a [Emit],
    columns: &[Datum<'a>],
    context: &'a Context,
    arena: &'a Bump,
    (task, record): (u64, usize),
    values: &mut Vec<Datum<'a>>,
) -> Result<usize, EvalError> {
    values.clear();
    let mut wanted = ArenaVec::with_capacity_in(emits.len(), arena);
    for emit in emits {
        let wants = evaluate(emit, columns, &context.templates, arena, values)?;
        wanted.push(wants);
        if emit.numbered && wants {
            values.extend([Datum::Int(task as i64), Datum::Int(record as i64)]);
        }
    }
    let answers = if context.served {
        let outlets = context.outlets.borrow();
        let replies = emits
            .iter()
            .zip(&wanted)
            .filter(|(emit, wanted)| **wanted && outlets.is_reply(emit.sink));
        replies.count()
    } else {
        0
    };
    if answers > 1 {
        return Ok(answers);
    }
    let mut from = 0;
    for (emit, wanted) in emits.iter().zip(wanted) {
        if !wanted {
            continue;
        }
        let to = from + emit.values.len() + if emit.numbered { 2 } else { 0 };
        context.outlets.borrow_mut().write(emit.sink, &values[from..to]);
        from = to;
    }
    Ok(answers)
}

/// Append the values of one emit, if its condition holds.
fn evaluate<'a>(
    emit: &'a Emit,
    columns: &[Datum<'a>],
    templates: &'a Templates,
    arena: &'a Bump,
    values: &mut Vec<Datum<'a>>,
) -> Result<bool, EvalError> {
    if let Some(condition) = &emit.condition
        && condition.evaluate(columns, templates, arena)? != Datum::Bool(true)
    {
        return Ok(false);
    }
    for value in &emit.values {
        values.push(value.evaluate(columns, templates, arena)?);
    }
    Ok(true)
}
