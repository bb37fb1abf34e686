//! `call`: stages that wait for an endpoint or a timer, on the tasks of one worker.
//!
//! A sliding window: every task that comes is opened (`receive` lets in as many as there are slots),
//! and leaves when its own answers are there, so a slow call holds up nobody. Stages that do not read each other share the operator and
//! run side by side. Calls leave through the [`Endpoint`](sage_core::endpoint::Endpoint) trait and
//! come back into an inbox from any thread, which wakes the operator by timely's `SyncActivator`.
//! Every call is answered (a drop guard sees to it), so a task cannot be stuck here.

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
use sage_core::endpoint::{
    Answer, CacheMode, Call, CallOutcome, Completion, ErrorClass, Lane, Request,
};
use sage_core::event::{Event, Kind};
use sage_core::record::Datum;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use self::inbox::Inbox;
use self::open::{Item, Open, Place};
use super::{Held, Tasks};
use crate::context::Context;
use crate::stages::{Ask, CallStage, Received, Row, Stage};
use crate::task::Task;

/// One stage of a group.
pub(crate) struct Member {
    /// Position among the plan's stages.
    pub(crate) stage: u16,
    /// Name in the program.
    pub(crate) name: String,
    /// A `Call` or a `Wait`.
    pub(crate) run: Stage,
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
                timer.activate_after(Duration::from_nanos(due.saturating_sub(now) + 1));
            }
        }
    });
    stream
}

/// Everything the operator holds.
struct Window {
    context: Rc<Context>,
    members: Vec<Member>,
    inbox: Arc<Inbox>,
    waiting: VecDeque<Task>,
    open: FxHashMap<u64, Open>,
    finished: Vec<Task>,
    batchers: Vec<Batcher<Item>>,
    calls: FxHashMap<u64, (usize, Vec<Place>)>,
    next_call: u64,
    timers: BinaryHeap<Reverse<(u64, usize, Place)>>,
    arena: Bump,
}

impl Window {
    fn new(context: Rc<Context>, members: Vec<Member>, inbox: Arc<Inbox>) -> Self {
        let batcher = |member: &Member| match &member.run {
            Stage::Call(call) => Batcher::new(call.batch, call.linger_ns, None),
            _ => Batcher::new(1, 0, None),
        };
        let batchers = members.iter().map(batcher).collect();
        Window {
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
        let mut open = Open::new(task, self.members.len(), now);
        let mut items: Vec<(usize, Item)> = Vec::new();
        let mut timers: Vec<(usize, Place, u64)> = Vec::new();
        {
            let mut columns: Vec<Datum<'_>> = Vec::new();
            let mut failed = Vec::new();
            for i in 0..open.task.rows.len() {
                open.task.rows.unpack(i, &mut columns);
                let (arena, templates) = (&self.arena, &context.templates);
                let row = Row { columns: &columns, templates, arena, task: id };
                let place = Place { task: id, row: i };
                for (m, member) in self.members.iter().enumerate() {
                    let prepared = match &member.run {
                        Stage::Call(call) => row.text(&call.text).map(|text| {
                            items.push((m, Item { place, text: text.to_owned() }));
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
            for (m, i, error) in failed {
                open.fail(m, i, &self.members[m].name, "expression", 1, error.to_string());
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
            if let Some(batch) = self.batchers[member].push(item, 1, now) {
                self.send(member, batch);
            }
        }
        self.close_if_done(id);
    }

    /// Send one batch.
    fn send(&mut self, member: usize, items: Vec<Item>) {
        let Stage::Call(CallStage { endpoint, ask, timeout_ns, .. }) = &self.members[member].run
        else {
            return;
        };
        let Some(task) = items.first().map(|item| item.place.task) else { return };
        let (places, texts): (Vec<_>, Vec<_>) =
            items.into_iter().map(|item| (item.place, item.text)).unzip();
        let request = match ask {
            Ask::Generate(options) => {
                Request::Generate { prompts: texts, options: options.clone() }
            }
            Ask::Embed => Request::Embed { texts },
        };
        let id = self.next_call;
        self.next_call += 1;
        self.calls.insert(id, (member, places));
        let inbox = Arc::clone(&self.inbox);
        let stage = usize::from(self.members[member].stage);
        let call = Call {
            endpoint: *endpoint,
            request,
            timeout_ns: *timeout_ns,
            stage,
            task,
            records: Vec::new(),
            lane: Lane::default(),
            cache: CacheMode::default(),
        };
        let completion = Completion::new(move |outcome| inbox.put(id, outcome));
        self.context.endpoint.submit(call, completion);
    }

    fn answered(&mut self, call: u64, outcome: CallOutcome) {
        let Some((member, places)) = self.calls.remove(&call) else { return };
        let now = self.context.clock.now_ns();
        let attempts = u16::try_from(outcome.attempts).unwrap_or(u16::MAX);
        if let (Some(first), true) = (places.first(), attempts > 1) {
            let retries = u64::from(attempts - 1);
            let event = Event::new(Kind::Retried, first.task, now);
            let stage = self.members[member].stage;
            self.context.note(Event { stage, value: retries, ..event });
        }
        let name = &self.members[member].name;
        let mut answers = received(outcome, places.len());
        for (i, place) in places.iter().enumerate() {
            let Some(open) = self.open.get_mut(&place.task) else { continue };
            match &mut answers {
                Ok(answers) => {
                    if let Some(answer) = answers.get_mut(i).and_then(Option::take) {
                        open.answered(member, place.row, &answer, attempts, now);
                    }
                }
                Err((class, message)) => {
                    open.outstanding -= 1;
                    open.fail(member, place.row, name, class, attempts, message.clone());
                }
            }
        }
        for place in places {
            self.close_if_done(place.task);
        }
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

/// One answer per item, or why there is none.
fn received(
    outcome: CallOutcome,
    items: usize,
) -> Result<Vec<Option<Received>>, (&'static str, String)> {
    let protocol = |found: usize| {
        let class = ErrorClass::Protocol.as_str();
        Err((class, format!("asked for {items} items, the answer has {found}")))
    };
    match outcome.result {
        Ok(Answer::Generated(texts)) if texts.len() == items => {
            Ok(texts.into_iter().map(|text| Some(Received::Text(text))).collect())
        }
        Ok(Answer::Embedded { vectors, tokens }) if vectors.len() == items => {
            // The server counts the call as a whole; the shares add up to that.
            let items = items.max(1) as u64;
            let share = |i: usize| tokens / items + u64::from((i as u64) < tokens % items);
            let vector = |(i, vector)| Some(Received::Vector(vector, share(i)));
            Ok(vectors.into_iter().enumerate().map(vector).collect())
        }
        Ok(Answer::Generated(texts)) => protocol(texts.len()),
        Ok(Answer::Embedded { vectors, .. }) => protocol(vectors.len()),
        Err(error) => Err((error.class.as_str(), error.message)),
    }
}
