//! The operators of a dataflow thread, one file each: what the live engine's do to a task, without
//! its data.
//!
//! An activation is a dialogue: [`Operator::begin`] takes up what is there and says how long the
//! thread computes; when that time is over, [`Operator::resume`] says what comes of it and whether
//! the thread goes on. In between nothing of the operator changes, so a lost node can break it off.

mod call;
mod complete;
mod fused;
mod receive;
mod schedule;
mod source;

use std::collections::VecDeque;

use sage_core::event::{Event, Kind};

use self::call::Call;
pub(crate) use self::call::{Answered, Item, Prepared};
use self::complete::Complete;
use self::fused::Fused;
use self::receive::Receive;
pub(crate) use self::receive::Slots;
use self::schedule::Schedule;
use self::source::Source;
use crate::coordinator::Coordinator;
use crate::layout::{Layout, SOURCE};
use crate::log::Log;
use crate::model::{Overheads, Segment};
use crate::task::Tasks;

/// What an operator says of its activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The thread computes for this long, at speed 1.
    Busy(u64),
    /// It is over.
    Over,
}

/// What an operator sees and leaves during one step of the dialogue.
pub(crate) struct Cx<'a, 'm, 'o> {
    pub(crate) now: u64,
    /// Number of the operator.
    pub(crate) operator: usize,
    pub(crate) node: u32,
    pub(crate) layout: &'a Layout<'m>,
    pub(crate) overheads: &'a Overheads,
    pub(crate) tasks: &'a mut Tasks,
    pub(crate) coordinator: &'a mut Coordinator,
    pub(crate) slots: &'a mut Slots,
    pub(crate) log: &'a mut Log<'o>,
    /// Tasks for the next operator; they leave when the activation is over.
    pub(crate) out: &'a mut Vec<u32>,
    /// Tasks whose end the scheduler will hear of; word leaves when the activation is over.
    pub(crate) done: &'a mut Vec<u32>,
    /// Operators of the thread to be active in its next step.
    pub(crate) rouse: &'a mut u128,
    /// When the operator wants to look again.
    pub(crate) alarm_ns: &'a mut Option<u64>,
    /// A call that leaves now.
    pub(crate) call: &'a mut Option<Prepared>,
}

impl Cx<'_, '_, '_> {
    /// Note something of `task` on this node, now.
    pub(crate) fn note(&mut self, kind: Kind, task: u64, with: impl FnOnce(&mut Event)) {
        let job = self.layout.number;
        let mut event = Event { job, node: self.node, ..Event::new(kind, task, self.now) };
        with(&mut event);
        self.log.note(event);
    }

    /// An operator of this thread is to be active in the next step.
    pub(crate) fn rouse(&mut self, operator: usize) {
        *self.rouse |= 1 << operator;
    }
}

/// One operator.
#[derive(Debug)]
pub(crate) enum Operator {
    Source(Box<Source>),
    Schedule(Schedule),
    Receive(Receive),
    Fused(Fused),
    Call(Box<Call>),
    Complete(Complete),
    /// On other nodes than the first: what only that one does.
    Absent,
}

impl Operator {
    /// The operators of a thread.
    pub(crate) fn all(layout: &Layout<'_>, node: u32, seed: u64) -> Vec<Operator> {
        (0..=layout.complete).map(|number| Operator::new(layout, number, node, seed)).collect()
    }

    fn new(layout: &Layout<'_>, number: usize, node: u32, seed: u64) -> Operator {
        if layout.coordinates(number) && node > 0 {
            return Operator::Absent;
        }
        match layout.segment(number) {
            Some(Segment::Local { stages }) => Operator::Fused(Fused::new(stages)),
            Some(Segment::Ask { members }) => Operator::Call(Box::new(Call::new(members))),
            None if number == SOURCE => Operator::Source(Box::new(Source::new(layout.job, seed))),
            None if number == layout.schedule => Operator::Schedule(Schedule::default()),
            None if number == layout.receive => Operator::Receive(Receive::default()),
            None => Operator::Complete(Complete::default()),
        }
    }

    /// A task comes from the operator before.
    pub(crate) fn take(&mut self, task: u32) {
        match self {
            Operator::Schedule(schedule) => schedule.arrivals.push_back(task),
            Operator::Receive(receive) => receive.arrivals.push_back(task),
            Operator::Fused(fused) => fused.waiting.push_back(task),
            Operator::Call(call) => call.take(task),
            Operator::Complete(complete) => complete.waiting.push_back(task),
            Operator::Source(_) | Operator::Absent => {}
        }
    }

    /// Word of a task's end comes to the scheduling operator.
    pub(crate) fn hear(&mut self, task: u32) {
        if let Operator::Schedule(schedule) = self {
            schedule.completions.push_back(task);
        }
    }

    /// An answer comes to a group of waiting stages.
    pub(crate) fn answer(&mut self, answered: Answered) {
        if let Operator::Call(call) = self {
            call.inbox.push(answered);
        }
    }

    /// The operator is active.
    pub(crate) fn begin(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        match self {
            Operator::Source(source) => source.turn(cx),
            Operator::Schedule(schedule) => schedule.begin(cx),
            Operator::Receive(receive) => receive.turn(cx),
            Operator::Fused(fused) => fused.begin(cx),
            Operator::Call(call) => call.begin(cx),
            Operator::Complete(complete) => complete.begin(cx),
            Operator::Absent => Flow::Over,
        }
    }

    /// What it asked the thread to compute is done.
    pub(crate) fn resume(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        match self {
            Operator::Schedule(schedule) => schedule.resume(cx),
            Operator::Fused(fused) => fused.resume(cx),
            Operator::Call(call) => call.resume(cx),
            Operator::Complete(complete) => complete.resume(cx),
            Operator::Source(_) | Operator::Receive(_) | Operator::Absent => Flow::Over,
        }
    }

    /// What it computes is broken off, and will be begun anew.
    pub(crate) fn interrupt(&mut self) {
        if let Operator::Fused(fused) = self {
            fused.interrupt();
        }
    }

    /// The words of completed tasks that were not taken in yet.
    pub(crate) fn unheard(&mut self) -> VecDeque<u32> {
        match self {
            Operator::Schedule(schedule) => std::mem::take(&mut schedule.completions),
            _ => VecDeque::new(),
        }
    }

    /// All it holds is lost. Gives the tasks that stood in line here.
    pub(crate) fn clear(&mut self) -> VecDeque<u32> {
        match self {
            Operator::Receive(receive) => receive.clear(),
            Operator::Fused(fused) => {
                fused.interrupt();
                std::mem::take(&mut fused.waiting)
            }
            Operator::Call(call) => call.clear(),
            Operator::Complete(complete) => std::mem::take(&mut complete.waiting),
            Operator::Source(_) | Operator::Schedule(_) | Operator::Absent => VecDeque::new(),
        }
    }
}
