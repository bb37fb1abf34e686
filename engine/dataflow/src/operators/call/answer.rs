//! Answers: what becomes of a call that came back.
//!
//! A call that was refused for what is in it is taken apart, since one text that is too long makes a
//! server refuse the whole list. An answer that does not fit its type is asked for again with the
//! mistake pointed out. Both are bounded: a batch of n is at most 2n - 1 calls, a repair has a
//! number and the stage's time.

use std::sync::atomic::Ordering;

use sage_core::endpoint::{Answer, CallError, CallOutcome, ErrorClass, Generation};
use sage_core::event::{Event, Kind};

use super::open::{Asked, Failure};
use super::{InFlight, Window};
use crate::stages::{Received, Stage};
use crate::task::DEADLINE;

/// Most times an item is asked again, answers of earlier runs included.
const MOST_AGAIN: u8 = 200;
/// Characters of a bad answer that are shown to the model again.
const SHOWN_TO_MODEL: usize = 4_000;
/// Characters of a bad answer that a dead letter keeps.
const KEPT: usize = 300;

impl Window {
    /// A call came back.
    pub(super) fn answered(&mut self, call: u64, outcome: CallOutcome) {
        let Some(call) = self.calls.remove(&call) else { return };
        let InFlight { member, mut asked, until_ns } = call;
        let now = self.context.clock.now_ns();
        let tries = u16::try_from(outcome.attempts).unwrap_or(u16::MAX);
        asked.iter_mut().for_each(|item| item.attempts = item.attempts.saturating_add(tries));
        self.note_call(member, &asked, &outcome, now);
        match received(outcome, asked.len()) {
            Ok(answers) => {
                for (item, answer) in asked.iter().zip(answers) {
                    self.take(member, *item, &answer, now);
                }
            }
            Err(error) if asked.len() > 1 && is_of_its_content(&error) => {
                let (left, right) = asked.split_at(asked.len() / 2);
                for half in [left, right] {
                    self.ask_again(member, half, |text| text);
                }
            }
            // Nothing is wrong with it but that there is no time.
            Err(error) if error.class == ErrorClass::Cancelled && self.stops() => {
                asked.iter().for_each(|item| self.give_back(*item));
            }
            Err(CallError { class, status, message }) => {
                for item in &asked {
                    // By the time that the call had, not by the clock: the gateway answers a little
                    // earlier, so that its word is here in time.
                    let late = class == ErrorClass::Timeout && item.deadline_ns <= until_ns;
                    let class = if late { DEADLINE } else { class.as_str() };
                    let failure = Failure { status, ..Failure::new(class, message.clone()) };
                    self.fail(member, *item, failure);
                }
            }
        }
        for item in asked {
            self.close_if_done(item.place.task);
        }
    }

    /// Whether the run is to stop. Whoever asks a service is waiting for the answer.
    fn stops(&self) -> bool {
        !self.context.served && self.context.stop.load(Ordering::Relaxed)
    }

    /// The task of an item stays pending.
    fn give_back(&mut self, asked: Asked) {
        if let Some(open) = self.open.get_mut(&asked.place.task) {
            open.outstanding -= 1;
            open.task.given_back = true;
        }
    }

    fn note_call(&self, member: usize, asked: &[Asked], outcome: &CallOutcome, now: u64) {
        let Some(first) = asked.first() else { return };
        let stage = self.members[member].stage;
        let note = |kind, value| {
            let event = Event::new(kind, first.place.task, now);
            self.context.note(Event { stage, value, ..event });
        };
        if outcome.attempts > 1 {
            note(Kind::Retried, u64::from(outcome.attempts - 1));
        }
        if let Some(ns) = outcome.first_token_ns {
            note(Kind::FirstToken, ns);
        }
    }

    /// The answer of one item.
    fn take(&mut self, member: usize, asked: Asked, answer: &Received, now: u64) {
        let Some(open) = self.open.get_mut(&asked.place.task) else { return };
        let Stage::Call(stage) = &self.members[member].run else { return };
        open.paid(member, answer, asked.attempts, now);
        let row = asked.place.row;
        let (text, structured) = match (answer, &stage.structured) {
            (Received::Vector(vector, ..), _) => {
                open.done(member, row, |out| sage_core::record::pack_vector(out, vector));
                return;
            }
            (Received::Text(text), None) => {
                open.done(member, row, |out| stage.pack_text(out, text));
                return;
            }
            (Received::Text(text), Some(structured)) => (text, structured),
        };
        let mut why = None;
        let fits = |out: &mut Vec<u8>| why = structured.answer.read(out, &text.text).err();
        open.column(member, row, fits);
        let Some(mut why) = why else {
            open.outstanding -= 1;
            return;
        };
        if text.finish == "length" {
            why.push_str("; it was cut off at `max_tokens`");
        }
        let left = asked.until_ns(stage.timeout_ns) > now;
        // An answer that an earlier run has paid for is no try of this one.
        let counts = u8::from(!text.cached);
        if (asked.repairs < structured.repair || text.cached) && asked.again < MOST_AGAIN && left {
            let (repairs, again) = (asked.repairs + counts, asked.again + 1);
            let again = Asked { repairs, again, ..asked };
            self.ask_again(member, &[again], |first| corrected(&first, text, &why));
        } else {
            let answer = shortened(&text.text, KEPT);
            let message = format!("{why}; the last answer was: {answer}");
            self.fail(member, asked, Failure::new("invalid_output", message));
        }
    }
}

/// The first prompt with the mistake pointed out.
pub(crate) fn corrected(first: &str, answer: &Generation, why: &str) -> String {
    let answer = shortened(&answer.text, SHOWN_TO_MODEL);
    format!(
        "{first}\n\nYour previous answer was:\n{answer}\n\nIt was not valid: {why}.\n\
         Answer again with JSON only."
    )
}

fn shortened(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// Whether a server refused a call for what is in it, which may be the fault of one item alone. A
/// wrong key or an unknown model is the fault of all.
fn is_of_its_content(error: &CallError) -> bool {
    error.class == ErrorClass::Rejected && matches!(error.status, Some(400 | 413 | 422))
}

/// One answer per item, or why there is none.
fn received(outcome: CallOutcome, items: usize) -> Result<Vec<Received>, CallError> {
    let protocol = |found: usize| {
        let message = format!("asked for {items} items, the answer has {found}");
        Err(CallError::new(ErrorClass::Protocol, message))
    };
    // Without a try that reached the server, the answer was there already.
    let cached = outcome.attempts == 0;
    match outcome.result? {
        Answer::Generated(texts) if texts.len() == items => {
            let text = |text: Generation| {
                Received::Text(Generation { cached: text.cached || cached, ..text })
            };
            Ok(texts.into_iter().map(text).collect())
        }
        Answer::Embedded { vectors, tokens } if vectors.len() == items => {
            // The server counts the call as a whole; the shares add up to that.
            let items = items.max(1) as u64;
            let share = |i: usize| tokens / items + u64::from((i as u64) < tokens % items);
            let vector = |(i, vector)| Received::Vector(vector, share(i), cached);
            Ok(vectors.into_iter().enumerate().map(vector).collect())
        }
        Answer::Generated(texts) => protocol(texts.len()),
        Answer::Embedded { vectors, .. } => protocol(vectors.len()),
    }
}
