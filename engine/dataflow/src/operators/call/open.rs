//! `Open`: one task that waits for answers.

use sage_core::event::{Event, Kind};
use sage_core::record::{Datum, Rows, pack, pack_vector};

use crate::context::Context;
use crate::stages::{Received, pack_generation};
use crate::task::{Dead, Task};

/// A record of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) task: u64,
    pub(super) row: usize,
}

/// One text on its way into a call.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) text: String,
}

/// What one stage of the group did for the task.
#[derive(Debug, Clone, Default)]
struct Progress {
    last_ns: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    attempts: u16,
}

pub(super) struct Open {
    pub(super) task: Task,
    /// Items without an answer yet.
    pub(super) outstanding: usize,
    began_ns: u64,
    /// Packed columns by record and stage; empty until answered.
    columns: Vec<Vec<Vec<u8>>>,
    failures: Vec<Option<Dead>>,
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

    /// An answer came.
    pub(super) fn answered(
        &mut self,
        member: usize,
        row: usize,
        answer: &Received,
        attempts: u16,
        now_ns: u64,
    ) {
        self.outstanding -= 1;
        let progress = &mut self.progress[member];
        progress.last_ns = progress.last_ns.max(now_ns);
        progress.attempts = progress.attempts.max(attempts);
        let column = &mut self.columns[row][member];
        match answer {
            Received::Text(text) => {
                progress.prompt_tokens += text.prompt_tokens;
                progress.completion_tokens += text.completion_tokens;
                pack_generation(column, text);
            }
            Received::Vector(vector, tokens) => {
                progress.prompt_tokens += tokens;
                pack_vector(column, vector);
            }
        }
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

    /// A record failed in a stage; the first failure is the one that is told.
    pub(super) fn fail(
        &mut self,
        member: usize,
        row: usize,
        stage: &str,
        class: &str,
        attempts: u16,
        message: String,
    ) {
        let progress = &mut self.progress[member];
        progress.attempts = progress.attempts.max(attempts);
        let records = &self.task.rows;
        self.failures[row].get_or_insert_with(|| Dead {
            stage: stage.to_owned(),
            attempts,
            class: class.to_owned(),
            message,
            row: records.row(row).to_vec(),
        });
    }

    /// All answers are there: append the columns, set failed records apart, note what was done.
    pub(super) fn close(mut self, stages: &[u16], context: &Context) -> Task {
        let rows = std::mem::take(&mut self.task.rows);
        let mut kept = Rows::with_capacity(rows.len(), rows.byte_len() + 256 * rows.len());
        for (i, failure) in self.failures.into_iter().enumerate() {
            match failure {
                Some(dead) => self.task.dead.push(dead),
                None => kept.push(|out| {
                    out.extend_from_slice(rows.row(i));
                    self.columns[i].iter().for_each(|column| out.extend_from_slice(column));
                }),
            }
        }
        let now = context.clock.now_ns();
        for (stage, progress) in stages.iter().zip(&self.progress) {
            self.task.attempts = self.task.attempts.max(progress.attempts);
            let ended = if progress.last_ns == 0 { now } else { progress.last_ns };
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
