//! Answers that were paid before: looked up, waited for, kept.
//!
//! ```text
//! request -> items -> keys -> journal --- all there --------------------> answer
//!                                 '------ some missing -> one smaller call -> keep -> answer
//!                                 '------ asked for right now by another call -> wait, look again
//! ```
//!
//! Each item of a list is kept by itself, so a list that is cut differently the next time still
//! finds what it can. An answer goes out when it is durable, and not before. A call whose worker has
//! crashed runs on to here; see `calls`. What was refused for good is known for a while; see
//! `refusals`.

mod answer;
mod flight;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod items;
mod object;
mod pump;
mod refusals;
mod request;
mod stream;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use sage_core::endpoint::{CacheMode, ErrorClass};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::attempt::pass_on;
use super::doors::Doors;
use super::forward::{Outcome, Reply, forward};
use super::order::Order;
use super::peek::Usage;
use super::problem::Problem;
use super::route::Ordered;
use super::target::{Target, is_simulated};
use crate::journal::{Journal, Key, Stored};

use flight::{Flights, Lead, landed};
use items::Items;
use pump::Pump;
use refusals::Refusals;
use request::{Parts, RunScope, Scope};

/// Where answers are kept.
pub(super) struct Shelves {
    run: String,
    journal: Option<Journal>,
    content: Option<Journal>,
    flights: Arc<Flights>,
    refusals: Refusals,
}

impl Shelves {
    pub(super) fn new(run: String, journal: Option<Journal>, content: Option<Journal>) -> Self {
        Shelves { run, journal, content, flights: Arc::default(), refusals: Refusals::default() }
    }

    /// Where the answers to `order` are kept, if they are.
    fn of(&self, order: &Order) -> Option<&Journal> {
        match order.cache {
            CacheMode::Off => None,
            CacheMode::Content => self.content.as_ref(),
            // Without records there is nothing to find an answer by.
            CacheMode::Run if order.records.is_empty() => None,
            CacheMode::Run => self.journal.as_ref(),
        }
    }
}

/// What there is to do after the answer has begun.
enum Done {
    Whole(Response<Body>),
    Begun(Response<Body>, Box<Pump>),
}

/// Answer a call, whatever happens.
pub(super) async fn answer(doors: &Arc<Doors>, ordered: Ordered) -> Response<Body> {
    let Ordered { target, order, id, room } = ordered;
    let Some(journal) = doors.shelves.of(&order).cloned() else {
        let response = forward(&target, &order).await.into_response();
        drop(room);
        return response;
    };
    let shelves = doors.shelves.clone();
    let detached = order.announces && id.is_some();
    let client = order.client;
    let (tell, told) = oneshot::channel();
    let work = async move {
        let _room = room;
        match reuse(&shelves, &journal, &target, &order).await {
            Done::Whole(response) => {
                // Nobody may be there any more; what there was to keep is kept.
                let _ = tell.send(response);
            }
            Done::Begun(response, pump) => {
                let _ = tell.send(response);
                pump.run(detached).await;
            }
        }
    };
    let gone = || Problem::new(ErrorClass::Cancelled, "the call was given up").response();
    let Some(id) = id.filter(|_| detached) else {
        // Its end is the end of whoever waits for it; a stream goes on in a task that watches them.
        return in_step(work, told).await.unwrap_or_else(gone);
    };
    let calls = doors.calls.clone();
    if !calls.spawn(id, client, work) {
        return gone();
    }
    told.await.unwrap_or_else(|_| gone())
}

/// Poll `work` here until it tells its answer, then let it go on by itself.
async fn in_step(
    work: impl Future<Output = ()> + Send + 'static,
    mut told: oneshot::Receiver<Response<Body>>,
) -> Option<Response<Body>> {
    let mut work = Box::pin(work);
    tokio::select! {
        biased;
        () = &mut work => told.try_recv().ok(),
        response = &mut told => {
            tokio::spawn(work);
            response.ok()
        }
    }
}

async fn reuse(
    shelves: &Arc<Shelves>,
    journal: &Journal,
    target: &Arc<Target>,
    order: &Order,
) -> Done {
    let direct = async || Done::Whole(forward(target, order).await.into_response());
    let body = order.body.clone();
    let Some(parts) = Parts::of(order.operation, &body) else { return direct().await };
    let one = parts.items.len() == 1;
    let by_record = order.cache == CacheMode::Run;
    if (order.stream && !one) || (by_record && order.records.len() != parts.items.len()) {
        return direct().await;
    }
    let run = by_record.then(|| RunScope {
        run: &shelves.run,
        job: &order.job,
        stage: u64::from(order.stage.unwrap_or(u32::MAX)),
    });
    let keys_of = |simulated: bool| {
        let kind = target.kind_of(simulated);
        let scope = Scope { kind: &kind, model: &target.model, run };
        parts.keys(scope, &order.records)
    };
    // Unknown: nothing will be found, but what is paid for is kept all the same.
    let simulated = target.simulates(order.deadline).await;
    let keys = keys_of(simulated.unwrap_or(false));
    let count = keys.len();
    let mut items = Items {
        target,
        order,
        parts: &parts,
        keys,
        found: vec![None; count],
        paid: 0,
        usage: Usage::default(),
        tries: 0,
        queued: Duration::ZERO,
    };
    // A record that is done once more after a loss is refused as it was.
    let alone = items.keys.first().copied().filter(|_| by_record && one && simulated.is_some());
    loop {
        if let Some(refusal) = alone.and_then(|key| shelves.refusals.of(&key)) {
            items.tries = refusal.tries;
            return Done::Whole(items.mark(refusal.response()));
        }
        let (leads, wanted, leading) = items.look(shelves, journal, simulated.is_some());
        if wanted.is_empty() {
            let Some(leading) = leading else { return Done::Whole(items.respond(None)) };
            if timeout_at(order.deadline, landed(leading)).await.is_err() {
                let message = "another call with the same question got no answer in time";
                let response = Problem::new(ErrorClass::Timeout, message).response();
                return Done::Whole(items.mark(response));
            }
            continue;
        }
        let Reply { outcome, tries, queued } = if wanted.len() == count {
            forward(target, order).await
        } else {
            forward(target, &items.smaller(&wanted)).await
        };
        items.tries += tries;
        items.queued += queued;
        match outcome {
            Outcome::Failed(response) => {
                let response = match alone {
                    Some(key) => shelves.refusals.keep(key, tries, response).await,
                    None => response,
                };
                return Done::Whole(items.mark(response));
            }
            Outcome::Stream { parts: head, relay } => {
                let simulated = is_simulated(&head.headers);
                let key = keys_of(simulated)[0];
                let keep = Keep {
                    target: target.clone(),
                    journal: journal.clone(),
                    leads,
                    key,
                    simulated,
                };
                let (pump, body) = Pump::new(relay, order.operation, parts.answers, keep);
                let response = items.mark(pass_on(&head, body));
                return Done::Begun(response, Box::new(pump));
            }
            Outcome::Whole { parts: head, body, usage } => {
                let simulated = is_simulated(&head.headers);
                let whole = wanted.len() == count;
                let shape = (wanted.len(), parts.answers);
                let Some(apart) = answer::take_apart(order.operation, shape, simulated, &body)
                else {
                    return Done::Whole(items.not_understood(&head, body, whole));
                };
                let keys = keys_of(simulated);
                let kept =
                    wanted.iter().zip(&apart).map(|(&item, stored)| (keys[item], stored.clone()));
                keep(target, journal, kept.collect()).await;
                drop(leads);
                items.paid += wanted.len();
                items.usage.add(usage);
                for (&item, stored) in wanted.iter().zip(apart) {
                    items.found[item] = Some(stored);
                }
                if whole {
                    return Done::Whole(items.respond(Some((&head, body))));
                }
                let missing = items.fill();
                if missing == 0 {
                    return Done::Whole(items.respond(None));
                }
            }
        }
    }
}

/// What is to be done with a stream that has ended.
struct Keep {
    target: Arc<Target>,
    journal: Journal,
    leads: Vec<Lead>,
    key: Key,
    simulated: bool,
}

/// Make answers durable. One that cannot be kept goes out all the same: it is paid for.
async fn keep(target: &Target, journal: &Journal, entries: Vec<(Key, Stored)>) {
    if let [_] = entries.as_slice() {
        for (key, stored) in entries {
            if journal.record(key, stored).await.is_err() {
                target.not_kept.fetch_add(1, Ordering::Relaxed);
            }
        }
        return;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (key, stored) in entries {
        let journal = journal.clone();
        // Together, so that they share a sync; in tasks, so that all are begun.
        tasks.spawn(async move { journal.record(key, stored).await });
    }
    while let Some(kept) = tasks.join_next().await {
        if !matches!(kept, Ok(Ok(()))) {
            target.not_kept.fetch_add(1, Ordering::Relaxed);
        }
    }
}
