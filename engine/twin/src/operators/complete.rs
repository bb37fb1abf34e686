//! `complete`: the end of a task on its node. Its outcome, its slot, and word to the scheduler.

use std::collections::VecDeque;

use sage_core::event::{Event, Kind};

use super::{Cx, Flow};
use crate::task::Fate;

#[derive(Debug, Default)]
pub(crate) struct Complete {
    pub(super) waiting: VecDeque<u32>,
}

impl Complete {
    pub(super) fn begin(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        match self.waiting.front() {
            Some(_) => Flow::Busy(cx.overheads.task_ns),
            None => Flow::Over,
        }
    }

    pub(super) fn resume(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        if let Some(entry) = self.waiting.pop_front() {
            finish(entry, cx);
        }
        self.begin(cx)
    }
}

fn finish(entry: u32, cx: &mut Cx<'_, '_, '_>) {
    let now = cx.now;
    let task = cx.tasks.get_mut(entry);
    task.service_ns = task.held_ns(now);
    let (id, scheduled) = (task.id, task.scheduled);
    let Fate { rows, dead, late, attempts } = &task.fate;
    let (records, dead, attempts) = (rows.all, *dead, *attempts);
    let value = records.saturating_sub(dead);
    // A task is late when nothing but the deadline kept its records from an end.
    let late = dead > 0 && value == 0 && *late == dead;
    if scheduled {
        cx.slots.give_back();
        cx.rouse(cx.layout.receive);
    }
    let kind = if late { Kind::Shed } else { Kind::Completed };
    cx.note(kind, id, |event| {
        let (value, extra) = (u64::from(value), u64::from(dead));
        *event = Event { value, extra, detail: attempts, records, ..*event };
    });
    cx.coordinator.last_end_ns = cx.coordinator.last_end_ns.max(now);
    cx.done.push(entry);
}
