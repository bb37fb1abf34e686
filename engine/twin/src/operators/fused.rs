//! `fused`: stages that compute, one record after the other, and give the thread away after a turn.

use std::collections::VecDeque;

use sage_core::event::{Event, Kind};

use super::{Cx, Flow};
use crate::layout::Layout;
use crate::model::Work;
use crate::task::Task;

/// An activation takes no further task up after this time, as in the live engine.
const TURN_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Fused {
    stages: Vec<u16>,
    pub(super) waiting: VecDeque<u32>,
    /// The task that is computed, and since when.
    current: Option<(u32, u64)>,
    turn_began_ns: u64,
    /// Work of the current task, by stage of the segment.
    spent: Vec<u64>,
    /// Whether a stage did something for one of its records, by stage of the segment.
    ran: Vec<bool>,
    /// And work whose stage failed: it takes time, but no stage is done with it.
    lost: u64,
}

/// How a record leaves a segment early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Dropped,
    Failed(u16),
}

impl Fused {
    pub(super) fn new(stages: &[u16]) -> Self {
        Fused {
            stages: stages.to_vec(),
            waiting: VecDeque::new(),
            current: None,
            turn_began_ns: 0,
            spent: vec![0; stages.len()],
            ran: vec![false; stages.len()],
            lost: 0,
        }
    }

    pub(super) fn begin(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        self.turn_began_ns = cx.now;
        self.next(cx)
    }

    pub(super) fn resume(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        if let Some((entry, began_ns)) = self.current.take() {
            self.finish(entry, began_ns, cx);
            cx.out.push(entry);
        }
        if cx.now - self.turn_began_ns < TURN_NS {
            return self.next(cx);
        }
        if !self.waiting.is_empty() {
            cx.rouse(cx.operator);
        }
        Flow::Over
    }

    /// What is computed is broken off; the task is the first in line again.
    pub(super) fn interrupt(&mut self) {
        if let Some((entry, _)) = self.current.take() {
            self.waiting.push_front(entry);
        }
    }

    fn next(&mut self, cx: &mut Cx<'_, '_, '_>) -> Flow {
        let Some(entry) = self.waiting.pop_front() else { return Flow::Over };
        self.current = Some((entry, cx.now));
        self.spent.fill(0);
        self.ran.fill(false);
        self.lost = 0;
        let task = cx.tasks.get(entry);
        for row in task.fate.rows.iter() {
            self.walk(task, row, cx.layout);
        }
        Flow::Busy(self.spent.iter().fold(self.lost, |sum, ns| sum.saturating_add(*ns)))
    }

    /// Add up what one record asks, as far as it comes.
    fn walk(&mut self, task: &Task, row: u32, layout: &Layout<'_>) {
        let demand = layout.demand(task.first + u64::from(row));
        let notes = self.spent.iter_mut().zip(&mut self.ran);
        for (stage, (spent, ran)) in self.stages.iter().zip(notes) {
            let work = match demand.work.get(usize::from(*stage)) {
                Some(Work::Cpu(ns)) => *ns,
                Some(Work::Drawn(drawn)) => drawn.ns(task.id),
                _ => 0,
            };
            // In another arm of a route than this record, the stage asks for nothing.
            *ran |= !matches!(demand.work.get(usize::from(*stage)), Some(Work::None));
            if demand.fails_at == Some(*stage) {
                self.lost = self.lost.saturating_add(work);
                return;
            }
            *spent = spent.saturating_add(work);
            if demand.dropped_at == Some(*stage) {
                return;
            }
        }
    }

    fn exit(&self, task: &Task, row: u32, layout: &Layout<'_>) -> Option<Exit> {
        let demand = layout.demand(task.first + u64::from(row));
        self.stages.iter().find_map(|stage| match Some(*stage) {
            at if at == demand.fails_at => Some(Exit::Failed(*stage)),
            at if at == demand.dropped_at => Some(Exit::Dropped),
            _ => None,
        })
    }

    fn finish(&mut self, entry: u32, began_ns: u64, cx: &mut Cx<'_, '_, '_>) {
        let task = cx.tasks.get(entry);
        let (id, records) = (task.id, task.fate.rows.all);
        if task.fate.rows.left == 0 {
            return;
        }
        if cx.layout.losses {
            let rows: Vec<u32> = task.fate.rows.iter().collect();
            for row in rows {
                self.leave(entry, row, cx);
            }
        }
        // The time that passed, the waiting for a core included, in proportion to the work.
        let took_ns = u128::from(cx.now - began_ns);
        let total = self.spent.iter().map(|ns| u128::from(*ns)).sum::<u128>();
        let total = total + u128::from(self.lost);
        let (mut sum, mut before) = (0, 0);
        let notes = self.spent.iter().zip(&self.ran);
        for (stage, (spent, ran)) in self.stages.iter().zip(notes) {
            sum += u128::from(*spent);
            let until = (took_ns * sum).checked_div(total).unwrap_or(0);
            let value = (until - before) as u64;
            before = until;
            if !*ran {
                continue;
            }
            cx.note(Kind::StageDone, id, |event| {
                *event = Event { stage: *stage, value, records, ..*event };
            });
        }
    }

    fn leave(&self, entry: u32, row: u32, cx: &mut Cx<'_, '_, '_>) {
        let Some(exit) = self.exit(cx.tasks.get(entry), row, cx.layout) else { return };
        let task = cx.tasks.get_mut(entry);
        task.fate.rows.remove(row);
        if let Exit::Failed(stage) = exit {
            task.fate.dead += 1;
            let id = task.id;
            cx.note(Kind::Failed, id, |event| *event = Event { stage, detail: 1, ..*event });
        }
    }
}
