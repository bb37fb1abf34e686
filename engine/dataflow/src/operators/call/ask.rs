//! Asking: from gathered items to a call on its way.

use std::sync::Arc;

use sage_core::endpoint::{CacheMode, Call, Completion, Request};
use sage_core::expr::EvalError;
use sage_core::record::Datum;

use super::open::{Asked, Failure, Item, Place};
use super::{InFlight, Window};
use crate::stages::{Ask, CallStage, Row, Stage};
use crate::task::DEADLINE;

impl Window {
    /// Send one batch. What it waited for company counts: the call has what is left of the stage's
    /// time, and no longer than until the last of its tasks is late.
    pub(super) fn send(&mut self, member: usize, items: Vec<Item>) {
        let now = self.context.clock.now_ns();
        let Stage::Call(stage) = &self.members[member].run else { return };
        let CallStage { endpoint, ask, timeout_ns, lane, cache, .. } = stage.as_ref();
        let (endpoint, timeout_ns, lane, cache) = (*endpoint, *timeout_ns, *lane, *cache);
        let (mut asked, mut texts, mut records) = (
            Vec::with_capacity(items.len()),
            Vec::with_capacity(items.len()),
            Vec::with_capacity(items.len()),
        );
        let (mut oldest_ns, mut latest_ns, mut again) = (now, 0, false);
        let mut expired = Vec::new();
        for Item { asked: item, text } in items {
            if item.until_ns(timeout_ns) <= now {
                expired.push(item);
                continue;
            }
            oldest_ns = oldest_ns.min(item.ready_ns);
            latest_ns = latest_ns.max(item.deadline_ns);
            again |= item.again > 0;
            records.push(item.question());
            texts.push(text);
            asked.push(item);
        }
        if let Some(first) = asked.first() {
            let task = first.place.task;
            let until_ns = oldest_ns.saturating_add(timeout_ns).min(latest_ns);
            let request = match ask {
                Ask::Generate(options) => {
                    Request::Generate { prompts: texts, options: options.clone() }
                }
                Ask::Embed => Request::Embed { texts },
                Ask::Exec(command) => Request::Exec { command: Arc::clone(command), lines: texts },
                Ask::Http(call) => Request::Http { call: Arc::clone(call), bodies: texts },
            };
            let stage = usize::from(self.members[member].stage);
            // By content alone one repair would be answered with the answer to another.
            let cache = if again && cache == CacheMode::Content { CacheMode::Run } else { cache };
            let call = Call {
                endpoint,
                request,
                timeout_ns: until_ns - now,
                stage,
                task,
                records,
                lane,
                cache,
            };
            let id = self.next_call;
            self.next_call += 1;
            self.calls.insert(id, InFlight { member, asked, until_ns });
            let inbox = Arc::clone(&self.inbox);
            let completion = Completion::new(move |outcome| inbox.put(id, outcome));
            self.context.endpoint.submit(call, completion);
        }
        for item in expired {
            let late = item.deadline_ns <= now;
            let (class, message) = if late {
                (DEADLINE, "the deadline passed before it could be asked")
            } else {
                ("timeout", "the time of the stage was up before it could be asked")
            };
            self.fail(member, item, Failure::new(class, message));
            self.close_if_done(item.place.task);
        }
    }

    /// An item has no answer.
    pub(super) fn fail(&mut self, member: usize, asked: Asked, failure: Failure) {
        if let Some(open) = self.open.get_mut(&asked.place.task) {
            open.outstanding -= 1;
            let name = &self.members[member].name;
            open.fail(member, asked.place.row, name, asked.attempts, failure);
        }
    }

    /// Ask for items again, each with what `text` makes of its first text. That one is rendered
    /// anew: to keep the texts of all calls in flight would cost more than the few that fail.
    pub(super) fn ask_again(
        &mut self,
        member: usize,
        again: &[Asked],
        text: impl Fn(String) -> String,
    ) {
        let mut items = Vec::with_capacity(again.len());
        for asked in again {
            match self.rendered(member, asked.place) {
                Ok(first) => items.push(Item { asked: *asked, text: text(first) }),
                Err(error) => self.fail(member, *asked, Failure::of_expression(&error)),
            }
        }
        self.send(member, items);
    }

    /// The text that an item was asked with.
    fn rendered(&mut self, member: usize, place: Place) -> Result<String, EvalError> {
        let (Some(open), Stage::Call(stage)) =
            (self.open.get(&place.task), &self.members[member].run)
        else {
            return Ok(String::new());
        };
        let text = {
            let mut columns: Vec<Datum<'_>> = Vec::new();
            open.task.rows.unpack(place.row, &mut columns);
            let (arena, templates) = (&self.arena, &self.context.templates);
            let row = Row { columns: &columns, templates, arena, task: place.task };
            stage.question(row)
        };
        self.arena.reset();
        text
    }
}
