//! Answers, and timers that ring.

use sage_core::endpoint::ErrorClass;
use sage_core::event::{Event, Kind};

use super::ask::{fail, unanswered};
use super::{Call, Cx, Item, Timer};
use crate::station::Reply;
use crate::task::Failure;

/// A call that came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) member: usize,
    pub(crate) items: Vec<Item>,
    /// When its time was up.
    pub(crate) until_ns: u64,
    pub(crate) reply: Reply,
    /// From the moment the call was made until its first token was here.
    pub(crate) first_token_ns: Option<u64>,
}

impl Call {
    pub(super) fn answered(&mut self, answered: Answered, cx: &mut Cx<'_, '_, '_>) {
        let Answered { member, mut items, until_ns, reply, first_token_ns } = answered;
        let tries = u16::try_from(reply.attempts).unwrap_or(u16::MAX);
        items.iter_mut().for_each(|item| item.attempts = item.attempts.saturating_add(tries));
        self.note_call(member, &items, &reply, first_token_ns, cx);
        match reply.result {
            Ok(tokens) if tokens.len() == items.len() => {
                for (item, tokens) in items.iter().zip(tokens) {
                    self.paid(member, *item, tokens, cx);
                }
            }
            // One text that is too long makes a server refuse the whole list.
            Err(ErrorClass::Rejected) if items.len() > 1 => {
                let right = items.split_off(items.len() / 2);
                self.send(member, items, cx);
                self.send(member, right, cx);
                return;
            }
            result => {
                let class = result.err().unwrap_or(ErrorClass::Protocol);
                for item in &items {
                    let late = class == ErrorClass::Timeout && item.deadline_ns <= until_ns;
                    unanswered(member, *item, late, cx);
                }
            }
        }
        for item in items {
            self.close_if_done(item.task, cx);
        }
    }

    fn note_call(
        &self,
        member: usize,
        items: &[Item],
        reply: &Reply,
        first_token_ns: Option<u64>,
        cx: &mut Cx<'_, '_, '_>,
    ) {
        let Some(first) = items.first() else { return };
        let task = cx.tasks.get(first.task).id;
        let stage = self.members[member].stage;
        if reply.attempts > 1 {
            let value = u64::from(reply.attempts - 1);
            cx.note(Kind::Retried, task, |event| *event = Event { stage, value, ..*event });
        }
        if let Some(value) = first_token_ns {
            cx.note(Kind::FirstToken, task, |event| *event = Event { stage, value, ..*event });
        }
    }

    /// The answer of one item.
    fn paid(&mut self, member: usize, item: Item, tokens: (u32, u32), cx: &mut Cx<'_, '_, '_>) {
        let now = cx.now;
        let task = cx.tasks.get_mut(item.task);
        if let Some(progress) = task.progress.get_mut(member) {
            progress.last_ns = progress.last_ns.max(now);
            progress.attempts = progress.attempts.max(item.attempts);
            progress.prompt_tokens += u64::from(tokens.0);
            progress.completion_tokens += u64::from(tokens.1);
        }
        let record = task.first + u64::from(item.row);
        if cx.layout.demand(record).fails_at == Some(self.members[member].stage) {
            // The answer came and was of no use.
            unanswered(member, item, false, cx);
        } else {
            task.outstanding -= 1;
        }
    }

    /// A wait is over.
    pub(super) fn rang(&mut self, timer: Timer, cx: &mut Cx<'_, '_, '_>) {
        let Timer { member, task: entry, row, .. } = timer;
        let now = cx.now;
        let task = cx.tasks.get_mut(entry);
        task.outstanding -= 1;
        if let Some(progress) = task.progress.get_mut(member) {
            progress.last_ns = progress.last_ns.max(now);
        }
        let record = task.first + u64::from(row);
        if cx.layout.demand(record).fails_at == Some(self.members[member].stage) {
            fail(Failure { row, member, attempts: 1, late: false }, entry, cx);
        }
        self.close_if_done(entry, cx);
    }
}
