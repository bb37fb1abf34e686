//! `receive`: the end of the exchange, and the slots. Tasks wait here in order of arrival until one
//! of the node's slots is free, and occupy it until `complete`.

use std::collections::VecDeque;

use sage_core::event::Kind;

use super::{Cx, Flow};

/// The slots of one thread.
#[derive(Debug)]
pub(crate) struct Slots {
    free: u32,
    /// Tasks let in so far.
    admitted: u64,
}

impl Slots {
    pub(crate) fn new(slots: u32) -> Self {
        Slots { free: slots.max(1), admitted: 0 }
    }

    /// Whether no further task can come to an operator that `entered` tasks have come to until one
    /// of those behind `receive` has ended: no slot is free, and none is on its way.
    pub(super) fn nobody_else_can_come(&self, entered: u64) -> bool {
        self.free == 0 && self.admitted == entered
    }

    /// A task has ended.
    pub(super) fn give_back(&mut self) {
        self.free += 1;
    }

    fn take(&mut self) -> bool {
        let free = self.free > 0;
        self.free = self.free.saturating_sub(1);
        free
    }
}

#[derive(Debug, Default)]
pub(crate) struct Receive {
    pub(super) arrivals: VecDeque<u32>,
    waiting: VecDeque<u32>,
}

impl Receive {
    pub(super) fn turn(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        for entry in self.arrivals.drain(..) {
            let task = cx.tasks.get(entry);
            let (id, records) = (task.id, task.fate.rows.all);
            if task.scheduled {
                cx.note(Kind::Dispatched, id, |event| event.records = records);
            }
            self.waiting.push_back(entry);
        }
        while let Some(entry) = self.waiting.front().copied() {
            // A task without records only passes through.
            if cx.tasks.get(entry).scheduled && !cx.slots.take() {
                break;
            }
            self.waiting.pop_front();
            cx.slots.admitted += 1;
            let task = cx.tasks.get_mut(entry);
            task.started_ns = Some(cx.now);
            let (id, records) = (task.id, task.fate.rows.all);
            cx.note(Kind::Started, id, |event| event.records = records);
            cx.out.push(entry);
        }
        Flow::Over
    }

    pub(super) fn clear(&mut self) -> VecDeque<u32> {
        let mut all = std::mem::take(&mut self.waiting);
        all.append(&mut self.arrivals);
        all
    }
}
