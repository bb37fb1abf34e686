//! The way of one call through the gateway.
//!
//! ```text
//! line -> permit -> upstream up? -> rate -> try -- success ----------------> answer
//!                        ^                   |---- no connection: wait until it is back
//!                        |                   '---- may pass: give the permit back, wait, line up
//!                        '---------------------------------------'  again by time of arrival
//! ```
//!
//! One timer, the call's deadline, bounds all of it. A try that made no connection costs neither an
//! attempt nor budget: the upstream never saw it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response};
use sage_core::endpoint::ErrorClass;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{self, Outgoing, Tried, pass_on};
use super::header;
use super::peek::{self, Usage};
use super::problem::{Problem, class_of_status};
use super::relay::Relay;
use super::target::Target;
use super::turnstile::Pass;

/// Time of a call that brings no deadline.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_secs(120);

/// A call as the router hands it over.
pub(super) struct Incoming {
    pub(super) outgoing: Outgoing,
    /// Tokens it may use.
    pub(super) estimate: f64,
    /// What its client has left, if it said so.
    pub(super) deadline: Option<Duration>,
    /// Its share of the memory for requests, until it is over.
    pub(super) _room: OwnedSemaphorePermit,
}

/// Where a call is, for the message if its time ends there.
#[derive(Clone, Copy)]
enum Phase {
    Line,
    Upstream,
    Down,
    Rate,
    Backoff,
}

struct Trip<'a> {
    target: &'a Target,
    incoming: &'a Incoming,
    arrived: Instant,
    deadline: Instant,
    phase: Phase,
    /// Time from arrival to the first try.
    queued: Option<Duration>,
    /// Tokens taken from the rate limit and not yet settled.
    reserved: f64,
    /// The last failure, in words.
    last: Option<(ErrorClass, String)>,
}

/// Answer a call of `job`, whatever happens.
pub(super) async fn forward(target: &Arc<Target>, incoming: Incoming, job: &str) -> Response<Body> {
    let Some(mut pass) = target.turnstile.enter(job) else {
        let message = format!("the line of endpoint `{}` is full; retry later", target.name);
        return mark(Problem::full(message).response(), 0, Duration::ZERO);
    };
    let arrived = Instant::now();
    let mut trip = Trip {
        target,
        incoming: &incoming,
        arrived,
        deadline: arrived + incoming.deadline.unwrap_or(DEFAULT_DEADLINE),
        phase: Phase::Line,
        queued: None,
        reserved: 0.0,
        last: None,
    };
    let tried = timeout_at(trip.deadline, trip.run(&mut pass)).await;
    let (tries, queued) = (pass.tries(), trip.queued.unwrap_or_else(|| arrived.elapsed()));
    let tried = tried.unwrap_or_else(|_| trip.out_of_time());
    let response = match tried {
        Tried::Answered { parts, body } if parts.status.is_success() => {
            let usage = peek::usage_in(&body).unwrap_or_default();
            trip.settle(Some(usage));
            pass.leave(Ok(usage));
            pass_on(&parts, Body::from(body))
        }
        Tried::Answered { parts, body } => {
            trip.settle(None);
            let class = class_of_status(parts.status.as_u16());
            pass.leave(Err(class));
            let mut response = pass_on(&parts, Body::from(body));
            let class = HeaderValue::from_static(class.as_str());
            response.headers_mut().insert(header::ERROR_CLASS, class);
            response
        }
        Tried::Streaming { parts, body } => {
            let reserved = std::mem::take(&mut trip.reserved);
            let until = incoming.deadline.map(|_| trip.deadline);
            let relay = Relay::new(body, pass, target.clone(), reserved, until);
            pass_on(&parts, Body::new(relay))
        }
        Tried::Failed { class, message } => {
            // A generation that was cut off has used an unknown number of tokens: what was taken
            // for it stays taken.
            if class != ErrorClass::Timeout {
                trip.settle(None);
            }
            pass.leave(Err(class));
            Problem::new(class, message).response()
        }
    };
    mark(response, tries, queued)
}

impl Trip<'_> {
    async fn run(&mut self, pass: &mut Pass) -> Tried {
        loop {
            self.phase = Phase::Line;
            pass.permit().await;
            self.phase = Phase::Down;
            self.target.passable().await;
            self.phase = Phase::Rate;
            self.pace().await;
            self.phase = Phase::Upstream;
            let tried = self.attempt(pass).await;
            let Some(failure) = tried.failure() else { return tried };
            self.settle(None);
            if failure.class == ErrorClass::Unreachable {
                if self.target.retry.max == 0 {
                    return tried;
                }
                self.remember(&tried);
                continue;
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            let Some(delay) = self.target.backoff(pass.tries(), failure, left) else {
                return tried;
            };
            self.remember(&tried);
            self.phase = Phase::Backoff;
            pass.pause();
            sleep(delay).await;
            pass.resume();
        }
    }

    async fn attempt(&mut self, pass: &mut Pass) -> Tried {
        self.queued.get_or_insert_with(|| self.arrived.elapsed());
        pass.begin_try();
        let tried = attempt::send(self.target, &self.incoming.outgoing).await;
        if let Tried::Failed { class: ErrorClass::Unreachable, .. } = tried {
            pass.undo_try();
            self.target.unreachable();
        } else {
            if pass.tries() == 1 {
                self.target.first_try();
            }
            self.target.reached();
        }
        tried
    }

    async fn pace(&mut self) {
        if let Some(requests) = &self.target.requests {
            requests.take(1.0).await;
        }
        if let Some(tokens) = &self.target.tokens {
            tokens.take(self.incoming.estimate).await;
            self.reserved = self.incoming.estimate;
        }
    }

    /// Correct what was taken from the token rate; a failed try is taken to have used nothing.
    fn settle(&mut self, used: Option<Usage>) {
        if let Some(tokens) = &self.target.tokens {
            let actual = used.map_or(0.0, |usage| usage.total() as f64);
            tokens.settle(std::mem::take(&mut self.reserved), actual);
        }
    }

    fn remember(&mut self, tried: &Tried) {
        self.last = Some(match tried {
            Tried::Failed { class, message } => (*class, message.clone()),
            Tried::Answered { parts, .. } => {
                let class = class_of_status(parts.status.as_u16());
                (class, format!("{} answered {}", self.target.url, parts.status))
            }
            Tried::Streaming { .. } => return,
        });
    }

    fn out_of_time(&mut self) -> Tried {
        let seconds = self.arrived.elapsed().as_secs_f64();
        let url = &self.target.url;
        if let (Phase::Down, Some((class, message))) = (self.phase, &self.last) {
            let message = format!("{message} (for {seconds:.1} s)");
            return Tried::Failed { class: *class, message };
        }
        let mut message = match self.phase {
            Phase::Line => format!("no free place at {url} within {seconds:.1} s"),
            Phase::Down => format!("{url} was down for the {seconds:.1} s the call had"),
            Phase::Rate => format!("the rate limit of {url} left no room within {seconds:.1} s"),
            Phase::Backoff => format!("the {seconds:.1} s the call had ended before the next try"),
            Phase::Upstream => format!("no answer from {url} within {seconds:.1} s"),
        };
        if let Some((class, last)) = &self.last {
            message = format!("{message}; before that: {class}: {last}");
        }
        let class = match self.phase {
            Phase::Down => ErrorClass::Unreachable,
            _ => ErrorClass::Timeout,
        };
        Tried::Failed { class, message }
    }
}

fn mark(mut response: Response<Body>, tries: u32, queued: Duration) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::ATTEMPTS, HeaderValue::from(tries));
    headers.insert(header::QUEUE_MS, HeaderValue::from(queued.as_millis() as u64));
    response
}
