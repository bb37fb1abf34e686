//! `Open`: what is known of a task that has not ended, and how it becomes a row.
//!
//! Events of one task come from several processes. Each process keeps its order, but between them
//! there is none: a start may be seen before the decision that led to it. So an open task is a set
//! of facts, filled in any order; it ends when both its arrival and its end are known.

use super::price::Spent;
use super::row::{TaskOutcome, TaskRow};
use crate::event::{Event, Kind};

/// How a task ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) at_ns: u64,
    pub(super) ok: u64,
    pub(super) shed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) arrived: Option<(u64, u32)>,
    pub(super) decided_ns: Option<u64>,
    pub(super) dispatched_ns: Option<u64>,
    pub(super) started_ns: Option<u64>,
    pub(super) node: Option<u32>,
    /// Whether it passed the scheduler by, and so took no slot.
    pub(super) bypassed: bool,
    pub(super) end: Option<End>,
    /// What its calls cost so far; what was paid for a lost attempt was paid.
    pub(super) spent: Spent,
    first_token_ns: Option<u64>,
    attempts: u16,
    stages_ns: Vec<Option<u64>>,
}

impl Open {
    pub(super) fn new(stages: usize) -> Self {
        Open { stages_ns: vec![None; stages], ..Open::default() }
    }

    /// Takes in one event.
    pub(super) fn apply(&mut self, kind: Kind, event: &Event) {
        match kind {
            Kind::Arrived => {
                self.arrived.get_or_insert((event.at_ns, event.records));
            }
            Kind::Decided => {
                // Chosen a second time: the first worker was lost, and what it did with it.
                if self.decided_ns.replace(event.at_ns).is_some() {
                    self.dispatched_ns = None;
                    self.started_ns = None;
                    self.stages_ns.fill(None);
                }
                self.node = Some(event.node);
                self.bypassed = event.detail == 1;
            }
            Kind::Dispatched => {
                self.dispatched_ns.get_or_insert(event.at_ns);
                self.node.get_or_insert(event.node);
            }
            Kind::Started => {
                self.started_ns.get_or_insert(event.at_ns);
                self.node.get_or_insert(event.node);
            }
            Kind::StageDone => {
                // A loop passes a stage several times, a morsel once for each of its calls.
                if let Some(stage) = self.stages_ns.get_mut(usize::from(event.stage)) {
                    *stage = Some(stage.unwrap_or(0).saturating_add(event.value));
                }
                self.attempts = self.attempts.max(event.detail);
            }
            Kind::Failed | Kind::Retried => self.attempts = self.attempts.max(event.detail),
            Kind::Completed => {
                self.attempts = self.attempts.max(event.detail);
                self.node.get_or_insert(event.node);
                self.end.get_or_insert(End { at_ns: event.at_ns, ok: event.value, shed: false });
            }
            Kind::Shed => {
                self.end.get_or_insert(End { at_ns: event.at_ns, ok: 0, shed: true });
            }
            Kind::FirstToken => self.first_token_ns = Some(event.value),
            Kind::Unreadable | Kind::Cached => {}
        }
    }

    /// The finished row and the number of records that succeeded, if arrival and end are known.
    ///
    /// Stamps of different hosts may overlap by what is left of their clocks' offset. Each is
    /// therefore kept between its neighbours, and the parts add up to the whole whatever comes in.
    pub(super) fn finish(&mut self, task: u64, job: u16) -> Option<(TaskRow, u64)> {
        let ((arrived_ns, records), end) = (self.arrived?, self.end?);
        let finished_ns = end.at_ns.max(arrived_ns);
        let decided_ns = self.decided_ns.map(|at| at.clamp(arrived_ns, finished_ns));
        let earliest = decided_ns.unwrap_or(arrived_ns);
        let started_ns = self.started_ns.map(|at| at.clamp(earliest, finished_ns));
        // A record is dead unless it is said to have succeeded: an error is never a success.
        let ok = end.ok.min(u64::from(records));
        let outcome = match ok {
            _ if end.shed => TaskOutcome::Late,
            0 if records > 0 => TaskOutcome::Dead,
            ok if ok == u64::from(records) => TaskOutcome::Ok,
            _ => TaskOutcome::Partial,
        };
        let row = TaskRow {
            task,
            job,
            records,
            // One that was refused in the queue never came to a node.
            node: self.node.filter(|_| !end.shed || self.decided_ns.is_some()),
            arrived_ns,
            decided_ns,
            started_ns,
            finished_ns,
            outcome,
            attempts: self.attempts,
            stages_ns: std::mem::take(&mut self.stages_ns),
            spent: self.spent,
            first_token_ns: self.first_token_ns,
        };
        Some((row, ok))
    }
}
