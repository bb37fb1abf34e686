//! The items of a call: what is found, what is missing, and the answer of it all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::response::Parts as Head;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use sage_core::endpoint::ErrorClass;

use super::super::attempt::pass_on;
use super::super::forward::mark;
use super::super::header;
use super::super::order::Order;
use super::super::peek::Usage;
use super::super::problem::Problem;
use super::super::target::Target;
use super::flight::{Claim, Lead};
use super::request::Parts;
use super::{Shelves, answer, stream};
use crate::journal::{Journal, Key, Stored};

/// What is known of the items of a call.
pub(super) struct Items<'a> {
    pub(super) target: &'a Arc<Target>,
    pub(super) order: &'a Order,
    pub(super) parts: &'a Parts<'a>,
    /// The key of each.
    pub(super) keys: Vec<Key>,
    /// The answer of each.
    pub(super) found: Vec<Option<Stored>>,
    /// Those that were paid for now.
    pub(super) paid: usize,
    pub(super) usage: Usage,
    pub(super) tries: u32,
    pub(super) queued: Duration,
}

impl Items<'_> {
    /// Look for what is missing: the duties to get the items that nobody else gets, and a call to
    /// wait for.
    pub(super) fn look(
        &mut self,
        shelves: &Arc<Shelves>,
        journal: &Journal,
        may_find: bool,
    ) -> (Vec<Lead>, Vec<usize>, Option<tokio::sync::watch::Receiver<()>>) {
        let (mut leads, mut wanted, mut leading) = (Vec::new(), Vec::new(), None);
        let mut claimed: HashSet<Key> = HashSet::new();
        for item in 0..self.keys.len() {
            let key = self.keys[item];
            if self.found[item].is_some() || claimed.contains(&key) {
                continue;
            }
            match shelves.flights.claim(key) {
                Claim::Follow(other) => leading = Some(other),
                Claim::Lead(lead) => {
                    let stored = if may_find { journal.lookup(&key) } else { None };
                    let stored = stored.filter(|stored| self.fits(stored));
                    if stored.is_none() {
                        claimed.insert(key);
                        leads.push(lead);
                        wanted.push(item);
                    }
                    self.found[item] = stored;
                }
            }
        }
        self.fill();
        (leads, wanted, leading)
    }

    /// Items that ask the same have the same answer. How many have none.
    pub(super) fn fill(&mut self) -> usize {
        let mut known: HashMap<Key, usize> = HashMap::new();
        for (item, key) in self.keys.iter().enumerate() {
            if self.found[item].is_some() {
                known.insert(*key, item);
            }
        }
        let mut missing = 0;
        for item in 0..self.keys.len() {
            if self.found[item].is_none() {
                let twin = known.get(&self.keys[item]);
                let answer = twin.and_then(|&twin| self.found[twin].clone());
                missing += usize::from(answer.is_none());
                self.found[item] = answer;
            }
        }
        missing
    }

    /// Whether a kept answer can be handed out in the way it is asked for.
    fn fits(&self, stored: &Stored) -> bool {
        if self.order.stream {
            return self.replay(stored).is_some();
        }
        answer::objects(stored, self.parts.answers).is_some()
    }

    fn replay(&self, stored: &Stored) -> Option<Vec<u8>> {
        let Parts { operation, answers, include_usage, .. } = *self.parts;
        stream::replay(operation, answers, stored, include_usage)
    }

    /// The call for only some of the items.
    pub(super) fn smaller(&self, wanted: &[usize]) -> Order {
        let records = &self.order.records;
        let body = Bytes::from(self.parts.request(wanted));
        let part = wanted.len() as f64 / self.keys.len() as f64;
        Order {
            input: self.order.input * part,
            limit: self.order.limit.map(|limit| limit * part),
            records: wanted.iter().filter_map(|&item| records.get(item).copied()).collect(),
            body,
            ..self.order.clone()
        }
    }

    /// An answer with success that cannot be kept: passed on if it is to the whole call.
    pub(super) fn not_understood(&self, head: &Head, body: Bytes, whole: bool) -> Response<Body> {
        if whole {
            return self.mark(pass_on(head, Body::from(body)));
        }
        let message = "the upstream's answer to a part of the list is not as expected";
        self.mark(Problem::new(ErrorClass::Protocol, message).response())
    }

    /// The answer when every item has one; `fresh` is the upstream's own, if that is all of it.
    pub(super) fn respond(&self, fresh: Option<(&Head, Bytes)>) -> Response<Body> {
        let (job, stage) = (&self.order.job, self.order.stage);
        let cached = (self.keys.len() - self.paid) as u64;
        if self.paid == 0 {
            self.target.turnstile.answered_before(job, stage, cached);
        } else if cached > 0 {
            self.target.turnstile.hits(job, stage, cached);
        }
        if let Some((head, body)) = fresh {
            return self.mark(pass_on(head, Body::from(body)));
        }
        let found: Vec<Stored> = self.found.iter().flatten().cloned().collect();
        let Parts { operation, answers, .. } = *self.parts;
        let (text, kind) = if self.order.stream {
            (
                found.first().and_then(|stored| self.replay(stored)),
                "text/event-stream; charset=utf-8",
            )
        } else {
            // What an answer says of itself does not change with its age: an old one tells what it
            // took when it was paid; `x-sage-cached` says that it costs nothing now.
            let usage = if self.paid == 0 { used(&found) } else { self.usage };
            (answer::put_together(operation, answers, &found, usage), "application/json")
        };
        let Some(text) = text else {
            let message = "a kept answer is not as expected";
            return self.mark(Problem::new(ErrorClass::Protocol, message).response());
        };
        let mut response = Response::new(Body::from(text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        // An answer says that it is simulated also when it is old.
        if found.iter().any(|stored| stored.simulated) {
            headers.insert(header::ENDPOINT, HeaderValue::from_static("simulated"));
        }
        self.mark(response)
    }

    pub(super) fn mark(&self, response: Response<Body>) -> Response<Body> {
        let mut response = mark(response, self.tries, self.queued);
        if response.status().is_success() {
            let answered = self.found.iter().flatten().count();
            let cached = answered.saturating_sub(self.paid) as u64;
            response.headers_mut().insert(header::CACHED, HeaderValue::from(cached));
        }
        response
    }
}

/// Tokens of kept answers when they were paid.
fn used(found: &[Stored]) -> Usage {
    let mut usage = Usage::default();
    for stored in found {
        let (prompt_tokens, completion_tokens) = (stored.prompt_tokens, stored.completion_tokens);
        usage.add(Usage { prompt_tokens, completion_tokens });
    }
    usage
}
