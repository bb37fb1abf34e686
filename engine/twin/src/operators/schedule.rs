//! `schedule`: the scheduling operator, on the first node only. Words of completions, then arrivals,
//! then decisions until the scheduler has none.

use std::collections::VecDeque;

use super::{Cx, Flow};
use crate::layout::SOURCE;

#[derive(Debug, Default)]
pub(crate) struct Schedule {
    pub(super) arrivals: VecDeque<u32>,
    pub(super) completions: VecDeque<u32>,
    /// What this activation takes up: completions and arrivals.
    taken: (usize, usize),
}

impl Schedule {
    /// Of what a task costs the first node, one half falls due when it enters, one when it is done.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        self.taken = (self.completions.len(), self.arrivals.len());
        let cost = cx.overheads.coordinate_ns;
        let (completions, arrivals) = (self.taken.0 as u64, self.taken.1 as u64);
        let done = (cost - cost / 2).saturating_mul(completions);
        Flow::Busy(done.saturating_add((cost / 2).saturating_mul(arrivals)))
    }

    pub(super) fn resume(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        let Cx { now, layout, overheads, .. } = *cx;
        let (completions, arrivals) = self.taken;
        for task in self.completions.drain(..completions.min(self.completions.len())) {
            cx.coordinator.completed(task, now, cx.tasks);
        }
        for task in self.arrivals.drain(..arrivals.min(self.arrivals.len())) {
            cx.coordinator.arrived(task, now, layout, cx.tasks);
        }
        let decision_ns = overheads.decision_ns;
        while let Some(task) = cx.coordinator.next(now, decision_ns, layout, cx.tasks, cx.log) {
            cx.out.push(task);
        }
        if cx.coordinator.rouses_source() {
            cx.rouse(SOURCE);
        }
        // What is due already was just asked: it may say otherwise a moment later.
        *cx.alarm_ns = cx.coordinator.next_wake_ns().map(|due| due.max(now.saturating_add(1)));
        Flow::Over
    }
}
