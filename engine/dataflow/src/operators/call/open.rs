//! `Open`: one task that waits for answers.

use sage_core::event::{Event, Kind};
use sage_core::expr::EvalError;
use sage_core::record::{Datum, Rows, pack};

use crate::context::Context;
use crate::stages::Received;
use crate::task::{Dead, Task};

/// A record of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) task: u64,
    pub(super) row: usize,
}

/// What is known of an item while its call is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) place: Place,
    /// Identity of the record.
    pub(super) record: u64,
    /// When it could have been asked first.
    pub(super) ready_ns: u64,
    /// When its task is late.
    pub(super) deadline_ns: u64,
    /// Tries of all its calls so far.
    pub(super) attempts: u16,
    /// How often it was asked again because an answer that was paid for now did not fit.
    pub(super) repairs: u8,
    /// How often it was asked again because an answer did not fit, wherever that came from.
    pub(super) again: u8,
}

impl Asked {
    pub(super) fn new(place: Place, record: u64, ready_ns: u64, deadline_ns: u64) -> Self {
        Asked { place, record, ready_ns, deadline_ns, attempts: 0, repairs: 0, again: 0 }
    }

    /// What the journal knows the question by. Each time it is asked again is another question, else
    /// an answer that did not fit would come back for ever.
    pub(super) fn question(self) -> u64 {
        self.record ^ u64::from(self.again).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// When it is not to be asked any more, in a stage with this time limit.
    pub(super) fn until_ns(self, timeout_ns: u64) -> u64 {
        self.ready_ns.saturating_add(timeout_ns).min(self.deadline_ns)
    }
}

/// One text on its way into a call.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) asked: Asked,
    pub(super) text: String,
}

/// Why a record has no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) class: &'static str,
    pub(super) status: Option<u16>,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Failure { class, status: None, message: message.into() }
    }

    pub(super) fn of_expression(error: &EvalError) -> Self {
        Failure::new("expression", error.to_string())
    }
}

/// What one stage of the group did for the task.
#[derive(Debug, Clone, Default)]
struct Progress {
    last_ns: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Answers that had been paid for earlier.
    cached: u64,
    attempts: u16,
    /// Records that it was not for.
    skipped: usize,
}

pub(super) struct Open {
    pub(super) task: Task,
    /// Items without an answer yet.
    pub(super) outstanding: usize,
    began_ns: u64,
    /// Packed columns by record and stage; empty until answered.
    columns: Vec<Vec<Vec<u8>>>,
    /// By record: the stage of the group that failed, and what is left of the record.
    failures: Vec<Option<(usize, Dead)>>,
    progress: Vec<Progress>,
}

impl Open {
    pub(super) fn new(task: Task, members: usize, began_ns: u64) -> Self {
        let rows = task.rows.len();
        Open {
            task,
            outstanding: 0,
            began_ns,
            columns: vec![vec![Vec::new(); members]; rows],
            failures: vec![None; rows],
            progress: vec![Progress::default(); members],
        }
    }

    /// Count what an answer cost, whether it can be used or not.
    pub(super) fn paid(&mut self, member: usize, answer: &Received, attempts: u16, now_ns: u64) {
        let progress = &mut self.progress[member];
        progress.last_ns = progress.last_ns.max(now_ns);
        progress.attempts = progress.attempts.max(attempts);
        match answer {
            Received::Text(text) if text.cached => progress.cached += 1,
            Received::Text(text) => {
                progress.prompt_tokens += text.prompt_tokens;
                progress.completion_tokens += text.completion_tokens;
            }
            Received::Vector(_, tokens, cached) => {
                progress.cached += u64::from(*cached);
                progress.prompt_tokens += tokens;
            }
        }
    }

    /// An item has its answer; `fill` packs the column.
    pub(super) fn done(&mut self, member: usize, row: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        self.outstanding -= 1;
        self.column(member, row, fill);
    }

    /// Let `fill` pack a column.
    pub(super) fn column(&mut self, member: usize, row: usize, fill: impl FnOnce(&mut Vec<u8>)) {
        fill(&mut self.columns[row][member]);
    }

    /// The stage is not for this record.
    pub(super) fn skip(&mut self, member: usize, row: usize) {
        self.progress[member].skipped += 1;
        pack(&mut self.columns[row][member], Datum::Null);
    }

    /// A wait of `ns` begins; its column is known already.
    pub(super) fn waits(&mut self, member: usize, row: usize, ns: u64) {
        let ns = i64::try_from(ns).unwrap_or(i64::MAX);
        pack(&mut self.columns[row][member], Datum::Int(ns));
    }

    /// A wait is over.
    pub(super) fn waited(&mut self, member: usize, _row: usize, now_ns: u64) {
        self.outstanding -= 1;
        let progress = &mut self.progress[member];
        progress.last_ns = progress.last_ns.max(now_ns);
    }

    /// A record failed in a stage. Of several that run side by side the first in the program is the
    /// one that is told, whichever answer came first: a dead letter does not depend on chance.
    pub(super) fn fail(
        &mut self,
        member: usize,
        row: usize,
        stage: &str,
        attempts: u16,
        failure: Failure,
    ) {
        let progress = &mut self.progress[member];
        progress.attempts = progress.attempts.max(attempts);
        if self.failures[row].as_ref().is_some_and(|(earlier, _)| *earlier <= member) {
            return;
        }
        let Failure { class, status, message } = failure;
        let (stage, class) = (stage.to_owned(), class.to_owned());
        let row_bytes = self.task.rows.row(row).to_vec();
        let dead = Dead { stage, attempts, class, status, message, row: row_bytes };
        self.failures[row] = Some((member, dead));
    }

    /// All answers are there: append the columns, set failed records apart, note what was done.
    pub(super) fn close(mut self, stages: &[u16], context: &Context) -> Task {
        let rows = std::mem::take(&mut self.task.rows);
        if self.task.given_back {
            // No further stage is asked.
            self.task.dead.clear();
            return self.task;
        }
        let now = context.clock.now_ns();
        let mut kept = Rows::with_capacity(rows.len(), rows.byte_len() + 256 * rows.len());
        for (i, failure) in self.failures.into_iter().enumerate() {
            match failure {
                Some((member, dead)) => {
                    let stage = stages.get(member).copied().unwrap_or(u16::MAX);
                    let event = Event::new(Kind::Failed, self.task.id, now);
                    context.note(Event { stage, detail: dead.attempts, ..event });
                    self.task.dead.push(dead);
                }
                None => kept.push(|out| {
                    out.extend_from_slice(rows.row(i));
                    self.columns[i].iter().for_each(|column| out.extend_from_slice(column));
                }),
            }
        }
        for (stage, progress) in stages.iter().zip(&self.progress) {
            // A stage that none of the records came to is not heard of.
            if progress.skipped == rows.len() {
                continue;
            }
            self.task.attempts = self.task.attempts.max(progress.attempts);
            let ended = if progress.last_ns == 0 { now } else { progress.last_ns };
            if progress.cached > 0 {
                let event = Event::new(Kind::Cached, self.task.id, now);
                context.note(Event { stage: *stage, value: progress.cached, ..event });
            }
            let tokens = |n: u64| n.min(u64::from(u32::MAX));
            context.note(Event {
                stage: *stage,
                value: ended.saturating_sub(self.began_ns),
                extra: tokens(progress.prompt_tokens) << 32 | tokens(progress.completion_tokens),
                detail: progress.attempts,
                records: self.task.records,
                ..Event::new(Kind::StageDone, self.task.id, now)
            });
        }
        self.task.rows = kept;
        self.task
    }
}
