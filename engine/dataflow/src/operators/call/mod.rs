//! `call`: stages that wait for an endpoint or a timer, on the tasks of one worker.
//!
//! A sliding window: every task that comes is opened (`receive` lets in as many as there are slots),
//! and leaves when its own answers are there, so a slow call holds up nobody. Stages that do not read each other share the operator and
//! run side by side. Calls leave through the [`Endpoint`](sage_core::endpoint::Endpoint) trait and
//! come back into an inbox from any thread, which wakes the operator by timely's `SyncActivator`.
//! Every call is answered (a drop guard sees to it), so a task cannot be stuck here.
//!
//! A batch does not linger for company that cannot come: when no slot of the worker is free and no
//! task is on its way here, the next one comes only after an answer has, so what is gathered leaves
//! at once.

mod answer;
mod ask;
mod inbox;
mod open;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bumpalo::Bump;
use rustc_hash::FxHashMap;
use sage_core::batcher::Batcher;
use sage_core::expr::Program;
use sage_core::record::Datum;
use sage_core::text::count_tokens;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

pub(crate) use self::answer::corrected;
use self::inbox::Inbox;
use self::open::{Asked, Failure, Item, Open, Place};
use super::{Held, Tasks};
use crate::context::Context;
use crate::identity::identity;
use crate::stages::{Row, Stage};
use crate::task::Task;

/// One stage of a group.
pub(crate) struct Member {
    /// Position among the plan's stages.
    pub(crate) stage: u16,
    /// Name in the program.
    pub(crate) name: String,
    /// A `Call` or a `Wait`.
    pub(crate) run: Stage,
    /// Where this is not true nothing is asked, and the column is null.
    pub(crate) when: Option<Program>,
}

pub(crate) fn call<'s>(tasks: Tasks<'s>, context: &Rc<Context>, members: Vec<Member>) -> Tasks<'s> {
    let context = Rc::clone(context);
    let scope = tasks.scope();
    let mut builder = OperatorBuilder::new("call".into(), scope);
    let mut input = builder.new_input(tasks, Pipeline);
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Task>>>::from(output);
    let address = builder.operator_info().address;
    let timer = scope.activator_for(Rc::clone(&address));
    let inbox = Arc::new(Inbox::new(scope.worker().sync_activator_for(address.to_vec())));
    builder.build(move |_| {
        let mut window = Window::new(context, members, inbox);
        let mut held = Held::default();
        let mut armed_ns = u64::MAX;
        move |_| {
            input.for_each(|capability, tasks| {
                held.add(&capability, 0);
                window.entered += tasks.len() as u64;
                window.waiting.extend(tasks.drain(..));
            });
            window.turn();
            if let Some(capability) = held.get() {
                let mut output = output.activate();
                output.session(capability).give_iterator(window.finished.drain(..));
            }
            if window.is_empty() {
                held.release();
            }
            // One timer is enough: it is set anew only when an earlier one is needed.
            let now = window.context.clock.now_ns();
            if armed_ns <= now {
                armed_ns = u64::MAX;
            }
            if let Some(due) = window.next_due().filter(|due| *due < armed_ns) {
                armed_ns = due;
                let wait = Duration::from_nanos(due.saturating_sub(now) + 1);
                window.context.clock.rouse_after(&timer, wait);
            }
        }
    });
    stream
}

/// A call in flight.
struct InFlight {
    /// Position of the stage within the group.
    member: usize,
    asked: Vec<Asked>,
    /// When its time is up.
    until_ns: u64,
}

/// Everything the operator holds.
struct Window {
    context: Rc<Context>,
    members: Vec<Member>,
    inbox: Arc<Inbox>,
    waiting: VecDeque<Task>,
    open: FxHashMap<u64, Open>,
    finished: Vec<Task>,
    /// Tasks that have come here so far.
    entered: u64,
    batchers: Vec<Batcher<Item>>,
    calls: FxHashMap<u64, InFlight>,
    next_call: u64,
    timers: BinaryHeap<Reverse<(u64, usize, Place)>>,
    arena: Bump,
    scratch: Vec<u8>,
    /// Where the source's key stands among the columns.
    key: Option<usize>,
    /// A task is late so long after its arrival.
    deadline_ns: Option<u64>,
}

impl Window {
    fn new(context: Rc<Context>, members: Vec<Member>, inbox: Arc<Inbox>) -> Self {
        let batcher = |member: &Member| match &member.run {
            Stage::Call(call) => Batcher::new(call.batch, call.linger_ns, call.batch_tokens),
            _ => Batcher::new(1, 0, None),
        };
        let batchers = members.iter().map(batcher).collect();
        let key = context.plan.source().and_then(|source| source.key);
        let deadline_ns = context.plan.schedule.deadline_ns.and_then(|ns| u64::try_from(ns).ok());
        Window {
            key,
            deadline_ns,
            scratch: Vec::new(),
            entered: 0,
            context,
            members,
            inbox,
            waiting: VecDeque::new(),
            open: FxHashMap::default(),
            finished: Vec::new(),
            batchers,
            calls: FxHashMap::default(),
            next_call: 0,
            timers: BinaryHeap::new(),
            arena: Bump::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty() && self.finished.is_empty()
    }

    /// The next moment something has to happen by itself.
    fn next_due(&self) -> Option<u64> {
        let timer = self.timers.peek().map(|Reverse((due, _, _))| *due);
        self.batchers.iter().filter_map(Batcher::deadline).chain(timer).min()
    }

    /// Take answers, ring timers, open tasks, send batches.
    fn turn(&mut self) {
        for (call, outcome) in self.inbox.take() {
            self.answered(call, outcome);
        }
        let now = self.context.clock.now_ns();
        while let Some(Reverse((due, member, place))) = self.timers.peek().copied() {
            if due > now {
                break;
            }
            self.timers.pop();
            if let Some(open) = self.open.get_mut(&place.task) {
                open.waited(member, place.row, now);
            }
            self.close_if_done(place.task);
        }
        while let Some(task) = self.waiting.pop_front() {
            self.start(task);
        }
        let now = self.context.clock.now_ns();
        for member in 0..self.members.len() {
            while let Some(items) = self.batchers[member].poll(now) {
                self.send(member, items);
            }
        }
        if self.context.slots.nobody_else_can_come(self.entered) {
            for member in 0..self.members.len() {
                if let Some(items) = self.batchers[member].flush() {
                    self.send(member, items);
                }
            }
        }
    }

    /// Open a task: its items go to the batchers and timers.
    fn start(&mut self, task: Task) {
        if task.rows.is_empty() {
            // All its records failed or were dropped before: nothing to ask.
            self.finished.push(task);
            return;
        }
        let context = Rc::clone(&self.context);
        let now = context.clock.now_ns();
        let id = task.id;
        let until_ns = self.deadline_ns.map_or(u64::MAX, |ns| task.arrived_ns.saturating_add(ns));
        let mut open = Open::new(task, self.members.len(), now);
        let mut items: Vec<(usize, Item)> = Vec::new();
        let mut timers: Vec<(usize, Place, u64)> = Vec::new();
        {
            let mut columns: Vec<Datum<'_>> = Vec::new();
            let (mut failed, mut skipped) = (Vec::new(), Vec::new());
            for i in 0..open.task.rows.len() {
                open.task.rows.unpack(i, &mut columns);
                let record = identity(self.key, &open.task, i, &columns, &mut self.scratch);
                let (arena, templates) = (&self.arena, &context.templates);
                let row = Row { columns: &columns, templates, arena, task: id };
                let place = Place { task: id, row: i };
                for (m, member) in self.members.iter().enumerate() {
                    match member.when.as_ref().map(|when| row.get(when)).transpose() {
                        Ok(None | Some(Datum::Bool(true))) => {}
                        Ok(Some(_)) => {
                            skipped.push((m, i));
                            continue;
                        }
                        Err(error) => {
                            failed.push((m, i, error));
                            continue;
                        }
                    }
                    let prepared = match &member.run {
                        Stage::Call(call) => row.text(&call.text).map(|text| {
                            let asked = Asked::new(place, record, now, until_ns);
                            items.push((m, Item { asked, text: text.to_owned() }));
                        }),
                        Stage::Wait(time) => {
                            row.count(time).map(|ns| timers.push((m, place, ns as u64)))
                        }
                        _ => Ok(()),
                    };
                    if let Err(error) = prepared {
                        failed.push((m, i, error));
                    }
                }
            }
            for (m, i) in skipped {
                open.skip(m, i);
            }
            for (m, i, error) in failed {
                open.fail(m, i, &self.members[m].name, 1, Failure::of_expression(&error));
            }
        }
        self.arena.reset();
        open.outstanding = items.len() + timers.len();
        self.open.insert(id, open);
        for (member, place, ns) in timers {
            if let Some(open) = self.open.get_mut(&id) {
                open.waits(member, place.row, ns);
            }
            self.timers.push(Reverse((now.saturating_add(ns), member, place)));
        }
        for (member, item) in items {
            let weight = match &self.members[member].run {
                Stage::Call(call) if call.batch_tokens.is_some() => count_tokens(&item.text),
                _ => 1,
            };
            if let Some(batch) = self.batchers[member].push(item, weight, now) {
                self.send(member, batch);
            }
        }
        self.close_if_done(id);
    }

    fn close_if_done(&mut self, task: u64) {
        if self.open.get(&task).is_none_or(|open| open.outstanding > 0) {
            return;
        }
        if let Some(open) = self.open.remove(&task) {
            let stages: Vec<u16> = self.members.iter().map(|member| member.stage).collect();
            self.finished.push(open.close(&stages, &self.context));
        }
    }
}
