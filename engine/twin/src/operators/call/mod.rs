//! `call`: stages that wait for an endpoint or a timer.
//!
//! A sliding window: every task that comes is opened, and leaves when its own answers are there.
//! Stages of one group run side by side. A batch does not linger for company that cannot come: when
//! no slot of the node is free and no task is on its way here, what is gathered leaves at once.

mod answer;
mod ask;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use sage_core::batcher::Batcher;

pub(crate) use self::answer::Answered;
pub(crate) use self::ask::{Item, Prepared};
use super::{Cx, Flow};
use crate::model::{Ask, Member};

/// A wait of one record; of those that end at one moment the first that was set ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    due_ns: u64,
    number: u64,
    member: usize,
    task: u32,
    row: u32,
}

#[derive(Debug)]
pub(crate) struct Call {
    members: Vec<Member>,
    waiting: VecDeque<u32>,
    /// Tasks that have come here so far.
    entered: u64,
    batchers: Vec<Batcher<Item>>,
    timers: BinaryHeap<Reverse<Timer>>,
    timers_set: u64,
    pub(super) inbox: Vec<Answered>,
    /// Calls that are ready; each costs the thread some time before it leaves.
    ready: VecDeque<Prepared>,
}

impl Call {
    pub(super) fn new(members: &[Member]) -> Self {
        let batcher = |member: &Member| match member.ask {
            Ask::Call { batch, batch_tokens, linger_ns, .. } => {
                Batcher::new(batch, linger_ns, batch_tokens)
            }
            Ask::Timer => Batcher::new(1, 0, None),
        };
        Call {
            members: members.to_vec(),
            waiting: VecDeque::new(),
            entered: 0,
            batchers: members.iter().map(batcher).collect(),
            timers: BinaryHeap::new(),
            timers_set: 0,
            inbox: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    pub(super) fn take(&mut self, task: u32) {
        self.entered += 1;
        self.waiting.push_back(task);
    }

    pub(super) fn begin(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        for answered in std::mem::take(&mut self.inbox) {
            self.answered(answered, cx);
        }
        while let Some(Reverse(timer)) = self.timers.peek().copied() {
            if timer.due_ns > cx.now {
                break;
            }
            self.timers.pop();
            self.rang(timer, cx);
        }
        while let Some(task) = self.waiting.pop_front() {
            self.start(task, cx);
        }
        for member in 0..self.members.len() {
            while let Some(items) = self.batchers[member].poll(cx.now) {
                self.send(member, items, cx);
            }
        }
        if cx.slots.nobody_else_can_come(self.entered) {
            for member in 0..self.members.len() {
                if let Some(items) = self.batchers[member].flush() {
                    self.send(member, items, cx);
                }
            }
        }
        self.go_on(cx)
    }

    /// A call has had its time of the thread and leaves.
    pub(super) fn resume(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        *cx.call = self.ready.pop_front();
        self.go_on(cx)
    }

    fn go_on(&self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        if !self.ready.is_empty() {
            return Flow::Busy(cx.overheads.call_ns);
        }
        let timer = self.timers.peek().map(|Reverse(timer)| timer.due_ns);
        *cx.alarm_ns = self.batchers.iter().filter_map(Batcher::deadline).chain(timer).min();
        Flow::Over
    }

    pub(super) fn clear(&mut self) -> VecDeque<u32> {
        let waiting = std::mem::take(&mut self.waiting);
        *self = Call::new(&self.members);
        waiting
    }
}
