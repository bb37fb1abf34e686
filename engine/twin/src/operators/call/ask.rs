//! Asking: from a task to items, from items to calls.

use std::cmp::Reverse;

use sage_core::event::{Event, Kind};

use super::{Call, Cx, Timer};
use crate::model::{Ask, Work};
use crate::task::{Failure, Progress};

/// One record's question to one stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) task: u32,
    pub(crate) row: u32,
    /// When it could have been asked first.
    pub(crate) ready_ns: u64,
    /// When its task is late.
    pub(crate) deadline_ns: u64,
    /// Tries of all its calls so far.
    pub(crate) attempts: u16,
}

/// A call on its way out.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Position within the group.
    pub(crate) member: usize,
    pub(crate) items: Vec<Item>,
    /// Given up at this time.
    pub(crate) deadline_ns: u64,
}

impl Call {
    /// Open a task: its items go to the batchers and timers.
    pub(super) fn start(&mut self, entry: u32, cx: &mut Cx<'_, '_, '_>) {
        let (layout, now) = (cx.layout, cx.now);
        let task = cx.tasks.get_mut(entry);
        if task.fate.rows.left == 0 {
            // All its records failed or were dropped before: nothing to ask.
            cx.out.push(entry);
            return;
        }
        task.began_ns = now;
        task.progress.clear();
        task.progress.resize(self.members.len(), Progress::default());
        task.failures.clear();
        let deadline_ns =
            layout.job.deadline_ns.map_or(u64::MAX, |ns| task.arrived_ns.saturating_add(ns));
        let first = task.first;
        let rows: Vec<u32> = task.fate.rows.iter().collect();
        let mut items: Vec<(usize, Item, u64)> = Vec::new();
        let mut failed: Vec<(usize, u32)> = Vec::new();
        let mut asked: Vec<usize> = Vec::new();
        let mut outstanding = 0;
        for row in rows {
            let demand = layout.demand(first + u64::from(row));
            for (at, member) in self.members.iter().enumerate() {
                let work = demand.work.get(usize::from(member.stage)).unwrap_or(&Work::None);
                match (&member.ask, work) {
                    (_, Work::None) if demand.fails_at == Some(member.stage) => {
                        failed.push((at, row));
                    }
                    (_, Work::None) => {}
                    (Ask::Timer, work) => {
                        let wait = if let Work::Wait(ns) = work { *ns } else { 0 };
                        let due_ns = now.saturating_add(wait);
                        let number = self.timers_set;
                        let timer = Timer { due_ns, number, member: at, task: entry, row };
                        self.timers.push(Reverse(timer));
                        self.timers_set += 1;
                        outstanding += 1;
                        asked.push(at);
                    }
                    (Ask::Call { .. }, work) => {
                        let item =
                            Item { task: entry, row, ready_ns: now, deadline_ns, attempts: 0 };
                        items.push((at, item, weight(work)));
                        outstanding += 1;
                        asked.push(at);
                    }
                }
            }
        }
        let task = cx.tasks.get_mut(entry);
        task.outstanding = outstanding;
        for member in asked.into_iter().chain(failed.iter().map(|(member, _)| *member)) {
            task.progress[member].asked = true;
        }
        for (member, row) in failed {
            fail(Failure { row, member, attempts: 1, late: false }, entry, cx);
        }
        for (member, item, weight) in items {
            if let Some(batch) = self.batchers[member].push(item, weight, now) {
                self.send(member, batch, cx);
            }
        }
        self.close_if_done(entry, cx);
    }

    /// Make a call of one batch. What it waited for company counts: the call has what is left of the
    /// stage's time, and no longer than until the last of its tasks is late.
    pub(super) fn send(&mut self, member: usize, items: Vec<Item>, cx: &mut Cx<'_, '_, '_>) {
        let Ask::Call { timeout_ns, .. } = self.members[member].ask else { return };
        let now = cx.now;
        let until = |item: &Item| item.ready_ns.saturating_add(timeout_ns).min(item.deadline_ns);
        let (asked, expired): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| until(item) > now);
        let oldest_ns = asked.iter().map(|item| item.ready_ns).min();
        let latest_ns = asked.iter().map(|item| item.deadline_ns).max();
        if let (Some(oldest_ns), Some(latest_ns)) = (oldest_ns, latest_ns) {
            let deadline_ns = oldest_ns.min(now).saturating_add(timeout_ns).min(latest_ns);
            self.ready.push_back(Prepared { member, items: asked, deadline_ns });
        }
        for item in expired {
            let late = item.deadline_ns <= now;
            unanswered(member, item, late, cx);
            self.close_if_done(item.task, cx);
        }
    }

    /// A task leaves when all its answers are there: failed and dropped records are set apart, and
    /// what was done is noted.
    pub(super) fn close_if_done(&mut self, entry: u32, cx: &mut Cx<'_, '_, '_>) {
        let task = cx.tasks.get_mut(entry);
        // Closed already: one call may hold several of its records.
        if task.outstanding > 0 || task.progress.is_empty() {
            return;
        }
        let (id, records, began_ns, now) = (task.id, task.fate.rows.all, task.began_ns, cx.now);
        let progress = std::mem::take(&mut task.progress);
        for at in 0..task.failures.len() {
            let task = cx.tasks.get_mut(entry);
            let Failure { row, member, attempts, late } = task.failures[at];
            task.fate.rows.remove(row);
            task.fate.dead += 1;
            task.fate.late += u32::from(late);
            let stage = self.members[member].stage;
            cx.note(Kind::Failed, id, |event| *event = Event { stage, detail: attempts, ..*event });
        }
        if cx.layout.losses {
            self.drop_rows(entry, cx);
        }
        for (member, progress) in self.members.iter().zip(&progress).filter(|it| it.1.asked) {
            let fate = &mut cx.tasks.get_mut(entry).fate;
            fate.attempts = fate.attempts.max(progress.attempts);
            let ended = if progress.last_ns == 0 { now } else { progress.last_ns };
            let tokens = |n: u64| n.min(u64::from(u32::MAX));
            let extra = tokens(progress.prompt_tokens) << 32 | tokens(progress.completion_tokens);
            cx.note(Kind::StageDone, id, |event| {
                *event = Event {
                    stage: member.stage,
                    value: ended.saturating_sub(began_ns),
                    extra,
                    detail: progress.attempts,
                    records,
                    ..*event
                };
            });
        }
        // The room is kept for the next group.
        let task = cx.tasks.get_mut(entry);
        task.progress = progress;
        task.progress.clear();
        cx.out.push(entry);
    }

    /// Records that a filter behind a stage of this group drops.
    fn drop_rows(&self, entry: u32, cx: &mut Cx<'_, '_, '_>) {
        let task = cx.tasks.get(entry);
        let dropped = |row: &u32| {
            let demand = cx.layout.demand(task.first + u64::from(*row));
            self.members.iter().any(|member| demand.dropped_at == Some(member.stage))
        };
        let rows: Vec<u32> = task.fate.rows.iter().filter(dropped).collect();
        let rows_left = &mut cx.tasks.get_mut(entry).fate.rows;
        rows.into_iter().for_each(|row| rows_left.remove(row));
    }
}

/// An item has no answer.
pub(super) fn unanswered(member: usize, item: Item, late: bool, cx: &mut Cx<'_, '_, '_>) {
    cx.tasks.get_mut(item.task).outstanding -= 1;
    let Item { row, attempts, .. } = item;
    fail(Failure { row, member, attempts, late }, item.task, cx);
}

/// A record failed in a stage; the first failure is the one that counts.
pub(super) fn fail(failure: Failure, entry: u32, cx: &mut Cx<'_, '_, '_>) {
    let task = cx.tasks.get_mut(entry);
    if let Some(progress) = task.progress.get_mut(failure.member) {
        progress.attempts = progress.attempts.max(failure.attempts);
    }
    if task.failures.iter().all(|other| other.row != failure.row) {
        task.failures.push(failure);
    }
}

/// Estimated tokens of an item.
fn weight(work: &Work) -> u64 {
    match work {
        Work::Embed { tokens } => u64::from(*tokens),
        Work::Generate { prompt_tokens, .. } => u64::from(*prompt_tokens),
        Work::None | Work::Cpu(_) | Work::Drawn(_) | Work::Wait(_) => 1,
    }
}
