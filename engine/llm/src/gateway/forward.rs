//! The way of one call through the gateway.
//!
//! ```text
//! line -> permit -> server up? -> rate -> try -- success ----------------> answer
//!                        ^                 |---- no connection: another server, or wait
//!                        |                 '---- may pass: give the permit back, wait, line up
//!                        '-------------------------------'  again by time of arrival
//! ```
//!
//! One timer, the call's deadline, bounds all of it. A try that made no connection costs neither an
//! attempt nor budget: the upstream never saw it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::response::Parts;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use sage_core::endpoint::ErrorClass;
use sage_core::retry::Disposition;
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{self, Tried, class_of, pass_on};
use super::header;
use super::hedge;
use super::order::Order;
use super::peek::Usage;
use super::problem::{self, Problem};
use super::rates::Taken;
use super::relay::Relay;
use super::target::{Closed, Shunned, Target, Visit};
use super::turnstile::Pass;

/// What has become of a call.
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    pub(super) tries: u32,
    /// Time to the first try.
    pub(super) queued: Duration,
}

/// See [`Reply`].
#[expect(clippy::large_enum_variant, reason = "one for a call, moved a few times")]
pub(super) enum Outcome {
    /// An answer with success.
    Whole { parts: Parts, body: Bytes, usage: Usage },
    /// One that is still coming.
    Stream { parts: Parts, relay: Relay },
    /// A failure, in the words it is answered with.
    Failed(Response<Body>),
}

/// After this time a call without a deadline waits neither for a server that is down nor for another
/// try.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a call is, for the message if its time ends there.
#[derive(Clone, Copy)]
enum Phase {
    Line,
    Upstream,
    Down,
    Rate,
    Backoff,
}

/// A try under way: what it holds until it is over.
pub(super) struct Under {
    pub(super) visit: Visit,
    pub(super) taken: Taken,
}

struct Trip<'a> {
    target: &'a Arc<Target>,
    order: &'a Order,
    phase: Phase,
    /// Time from arrival to the first try.
    queued: Option<Duration>,
    /// The last failure, in words, and where.
    last: Option<(ErrorClass, String)>,
    shunned: Shunned,
    /// Where the last try went, and when.
    at: Option<(usize, Instant)>,
}

#[expect(clippy::large_enum_variant, reason = "one for a call, moved a few times")]
enum End {
    Tried(Tried, Option<Under>),
    Refused(Problem),
}

impl Reply {
    /// As the answer to the call.
    pub(super) fn into_response(self) -> Response<Body> {
        let response = match self.outcome {
            Outcome::Whole { parts, body, .. } => pass_on(&parts, Body::from(body)),
            Outcome::Stream { parts, relay } => pass_on(&parts, Body::new(relay)),
            Outcome::Failed(response) => response,
        };
        mark(response, self.tries, self.queued)
    }
}

/// Make the call, whatever happens.
pub(super) async fn forward(target: &Arc<Target>, order: &Order) -> Reply {
    let mut pass = match target.turnstile.enter(order.visitor()) {
        Ok(pass) => pass,
        Err(full) => {
            let message = format!("the line of endpoint `{}` is full; retry later", target.name);
            let outcome = Outcome::Failed(Problem::full(message, full.retry_after_s).response());
            return Reply { outcome, tries: 0, queued: Duration::ZERO };
        }
    };
    let shunned = Shunned::default();
    let mut trip =
        Trip { target, order, phase: Phase::Line, queued: None, last: None, shunned, at: None };
    let end = timeout_at(order.deadline, trip.run(&mut pass)).await;
    let (tries, queued) = (pass.tries(), trip.queued.unwrap_or_else(|| order.arrived.elapsed()));
    let outcome = match end.unwrap_or_else(|_| trip.out_of_time()) {
        End::Tried(tried, under) => conclude(order, pass, tried, under),
        End::Refused(problem) => {
            pass.leave(Err(problem.class));
            Outcome::Failed(problem.response())
        }
    };
    Reply { outcome, tries, queued }
}

fn conclude(order: &Order, pass: Pass, tried: Tried, under: Option<Under>) -> Outcome {
    match tried {
        Tried::Answered { parts, body, usage } if parts.status.is_success() => {
            if let Some(Under { visit, taken }) = under {
                taken.settle(if usage.total() > 0 { usage.total() as f64 } else { order.tokens() });
                // The permit first: a limiter that steers sees the place free.
                pass.leave(Ok(usage));
                visit.succeeded(usage);
            }
            Outcome::Whole { parts, body, usage }
        }
        Tried::Answered { parts, body, .. } => {
            let class = class_of(&parts);
            pass.leave(Err(class));
            let wrapped = problem::wrapped(parts.status, &body);
            let is_wrapped = wrapped.is_some();
            let mut response = pass_on(&parts, wrapped.map_or_else(|| body.into(), Body::from));
            if is_wrapped {
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
            }
            let class = HeaderValue::from_static(class.as_str());
            response.headers_mut().insert(header::ERROR_CLASS, class);
            Outcome::Failed(response)
        }
        Tried::Streaming { parts, body } => match under {
            Some(under) => {
                let until = order.has_deadline.then_some(order.deadline);
                Outcome::Stream { relay: Relay::new(body, pass, under, until), parts }
            }
            None => Outcome::Failed(
                Problem::new(ErrorClass::Abandoned, "the stream was lost").response(),
            ),
        },
        Tried::Failed { class, message } => {
            pass.leave(Err(class));
            Outcome::Failed(Problem::new(class, message).response())
        }
    }
}

impl Trip<'_> {
    async fn run(&mut self, pass: &mut Pass) -> End {
        let cost = self.order.tokens();
        let mut sheds = 0;
        loop {
            self.phase = Phase::Line;
            pass.permit().await;
            self.phase = Phase::Down;
            let choice =
                self.target.choose(cost, self.order.prefix, &self.shunned, self.order.deadline);
            let visit = match timeout_at(self.patience(), choice).await {
                Ok(Ok(visit)) => visit,
                Ok(Err(Closed { wait })) => return End::Refused(self.closed(wait)),
                Err(_) => return self.out_of_time(),
            };
            self.phase = Phase::Rate;
            let taken = self.target.rates.take(cost).await;
            self.phase = Phase::Upstream;
            self.queued.get_or_insert_with(|| self.order.arrived.elapsed());
            let first = pass.tries() == 0;
            self.at = Some((visit.at, Instant::now()));
            let under = Under { visit, taken };
            let (tried, under) =
                hedge::attempt(self.target, self.order, pass, under, &self.shunned).await;
            let failure = tried.failure();
            if first && failure.is_none_or(|failed| failed.class != ErrorClass::Unreachable) {
                self.target.first_try();
            }
            let Some(failed) = failure else { return End::Tried(tried, Some(under)) };
            let Under { visit, taken } = under;
            let at = visit.at;
            visit.failed(failed, &tried.how());
            self.shunned.failed(at);
            if failed.class == ErrorClass::Unreachable && failed.status.is_none() {
                taken.undo();
                pass.undo_try();
                if self.target.retry.max == 0 {
                    return End::Tried(tried, None);
                }
                self.remember(&tried, at);
                continue;
            }
            taken.settle(0.0);
            if failed.disposition() == Disposition::Shed {
                pass.shed();
                sheds += 1;
                let asked = failed.retry_after.unwrap_or_default().as_nanos() as u64;
                self.shunned.refused(at, self.target.now_ns().saturating_add(asked));
            }
            let left = self.patience().saturating_duration_since(Instant::now());
            let Some(delay) = self.target.backoff(pass.tries(), sheds, failed, &self.shunned, left)
            else {
                return End::Tried(tried, None);
            };
            self.remember(&tried, at);
            self.phase = Phase::Backoff;
            pass.pause();
            sleep(delay).await;
            pass.resume();
        }
    }

    /// Until when to wait for a server that is down, or for the next try. Whoever says how long it
    /// can wait gets that; others would rather hear soon that it does not work.
    fn patience(&self) -> Instant {
        if self.order.has_deadline {
            return self.order.deadline;
        }
        self.order.deadline.min(self.order.arrived + PATIENCE)
    }

    fn remember(&mut self, tried: &Tried, at: usize) {
        self.last = Some(match tried {
            Tried::Failed { class, message } => (*class, message.clone()),
            Tried::Answered { parts, .. } => {
                let url = &self.target.replicas[at].url;
                (class_of(parts), format!("{url} answered {}", parts.status))
            }
            Tried::Streaming { .. } => return,
        });
    }

    fn closed(&self, wait: Duration) -> Problem {
        let (urls, (_, cause)) = (self.target.urls(), self.target.outage());
        let seconds = wait.as_secs_f64();
        let message = format!(
            "{urls} asked to be left alone for another {seconds:.1} s, longer than the call has{cause}"
        );
        Problem::full(message, wait.as_secs_f64().ceil() as u32)
    }

    fn out_of_time(&mut self) -> End {
        let seconds = self.order.arrived.elapsed().as_secs_f64();
        let url = self.target.urls();
        if let (Phase::Down, Some((class, message))) = (self.phase, &self.last) {
            let message = format!("{message} (for {seconds:.1} s)");
            return End::Tried(Tried::Failed { class: *class, message }, None);
        }
        let (outage, cause) = self.target.outage();
        let mut message = match self.phase {
            Phase::Line => format!("no free place at {url} within {seconds:.1} s"),
            Phase::Down => format!("{url} was down for the {seconds:.1} s the call had{cause}"),
            Phase::Rate => format!("the rate limit of {url} left no room within {seconds:.1} s"),
            Phase::Backoff => format!("the {seconds:.1} s the call had ended before the next try"),
            Phase::Upstream => {
                if let Some((at, since)) = self.at {
                    self.target.timed_out(at, since.elapsed());
                }
                format!("no answer from {url} within {seconds:.1} s")
            }
        };
        if let Some((class, last)) = &self.last {
            message = format!("{message}; before that: {class}: {last}");
        }
        let class = match self.phase {
            Phase::Down => outage,
            _ => ErrorClass::Timeout,
        };
        End::Tried(Tried::Failed { class, message }, None)
    }
}

/// The try of `order` at the server of `under`.
pub(super) async fn try_once(order: &Order, under: &Under) -> Tried {
    let replica = under.visit.replica();
    replica.tried();
    let tried = attempt::send(replica, order).await;
    if matches!(tried, Tried::Failed { class: ErrorClass::Unreachable, .. }) {
        replica.untried();
    }
    if let Tried::Answered { parts, .. } | Tried::Streaming { parts, .. } = &tried {
        under.visit.learn(&parts.headers);
    }
    tried
}

/// With the figures of its way.
pub(super) fn mark(mut response: Response<Body>, tries: u32, queued: Duration) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::ATTEMPTS, HeaderValue::from(tries));
    headers.insert(header::QUEUE_MS, HeaderValue::from(queued.as_millis() as u64));
    headers.insert(header::GATEWAY, HeaderValue::from_static("1"));
    response
}
