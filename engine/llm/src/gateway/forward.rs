//! The way of one call through the gateway.
//!
//! ```text
//! line -> permit -> server up? -> rate -> try -- success ----------------> answer
//!                        ^                 |---- no connection: another server, or wait
//!                        |                 '---- may pass: give the permit back, wait, line up
//!                        '-------------------------------'  again by time of arrival
//! ```
//!
//! The call's deadline bounds each of these waits, and not the way as a whole: when it ends, the try
//! must still be there, to say which server was silent and whether it was asked as a trial.
//!
//! A try that made no connection costs neither an attempt nor budget: the upstream never saw it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::response::Parts;
use axum::http::{HeaderValue, Response};
use bytes::Bytes;
use sage_core::endpoint::ErrorClass;
use sage_core::upstream::{Shunned, Tries};
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{self, Tried, class_of, pass_on};
use super::header;
use super::hedge;
use super::order::Order;
use super::peek::Usage;
use super::problem::{self, Problem};
use super::rates::Taken;
use super::relay::Relay;
use super::target::{Closed, Target, Visit};
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
    let mut trip = Trip { target, order, phase: Phase::Line, queued: None, last: None, shunned };
    let end = trip.run(&mut pass).await;
    let (tries, queued) = (pass.tries(), trip.queued.unwrap_or_else(|| order.arrived.elapsed()));
    let outcome = match end {
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
        let (cost, deadline) = (self.order.tokens(), self.order.deadline);
        let mut shed = 0;
        loop {
            self.phase = Phase::Line;
            if timeout_at(deadline, pass.permit()).await.is_err() {
                return self.out_of_time();
            }
            self.phase = Phase::Down;
            let choice = self.target.choose(cost, self.order.prefix, &self.shunned, deadline);
            let visit = match timeout_at(self.patience(), choice).await {
                Ok(Ok(visit)) => visit,
                Ok(Err(Closed { wait })) => return End::Refused(self.closed(wait)),
                Err(_) => return self.out_of_time(),
            };
            self.phase = Phase::Rate;
            let Ok(taken) = timeout_at(deadline, self.target.rates.take(cost)).await else {
                return self.out_of_time();
            };
            self.phase = Phase::Upstream;
            self.queued.get_or_insert_with(|| self.order.arrived.elapsed());
            let first = pass.tries() == 0;
            let sent = Instant::now();
            let under = Under { visit, taken };
            let (tried, under) =
                hedge::attempt(self.target, self.order, pass, under, &self.shunned).await;
            let Some(tried) = tried else {
                under.visit.timed_out(sent.elapsed());
                return self.out_of_time();
            };
            let failure = tried.failure();
            if first && failure.is_none_or(|failed| failed.what.class != ErrorClass::Unreachable) {
                self.target.first_try();
            }
            let Some(failed) = failure else { return End::Tried(tried, Some(under)) };
            let Under { visit, taken } = under;
            let at = visit.at;
            visit.failed(failed.what, &tried.how());
            self.shunned.failed(at);
            if failed.what.is_unsent() {
                taken.undo();
                pass.undo_try();
                if self.target.retry.max == 0 {
                    return End::Tried(tried, None);
                }
                self.remember(&tried, at);
                continue;
            }
            taken.settle(0.0);
            if failed.what.is_shed() {
                pass.shed();
                shed += 1;
                let asked = failed.what.retry_after_ns.unwrap_or(0);
                self.shunned.refused(at, self.target.now_ns().saturating_add(asked));
            }
            let left = self.patience().saturating_duration_since(Instant::now());
            let tries = Tries { made: pass.tries(), shed };
            let Some(delay) = self.target.backoff(at, tries, failed, &self.shunned, left) else {
                return End::Tried(tried, None);
            };
            self.remember(&tried, at);
            pass.pause();
            // Shorter than what is left of the call's time.
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
            Phase::Line => format!(
                "no free place at {url} within {seconds:.1} s: too many calls wait there for its \
                 `concurrency`; raise that or `timeout`, or use fewer slots"
            ),
            Phase::Down => format!("{url} was down for the {seconds:.1} s the call had{cause}"),
            Phase::Rate => format!("the rate limit of {url} left no room within {seconds:.1} s"),
            Phase::Upstream => format!("no answer from {url} within {seconds:.1} s"),
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

/// The try of `order` at the server of `under`, which was counted before.
pub(super) async fn try_once(order: &Order, under: &Under) -> Tried {
    let replica = under.visit.replica();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::HeaderMap;
    use rand::SeedableRng;
    use rand_pcg::Pcg32;
    use sage_core::endpoint::{CacheMode, Lane};
    use sage_core::upstream::settings::TRIP;
    use sage_core::upstream::{Failed, Usable};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;

    use super::super::config::{JobShares, Upstream};
    use super::super::order::Operation;
    use super::*;

    /// A server that reads and never answers; the receiver hears of the first call.
    async fn silent() -> (String, oneshot::Receiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 64]).await.unwrap();
            tell.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        (url, told)
    }

    fn order(time: Duration) -> Order {
        let arrived = Instant::now();
        Order {
            operation: Operation::Completions,
            body: Bytes::from_static(b"{}"),
            content_type: None,
            stream: false,
            input: 1.0,
            limit: Some(8.0),
            prefix: 0,
            idempotent: false,
            job: "job".into(),
            client: None,
            stage: None,
            lane: Lane::Normal,
            records: Vec::new(),
            cache: CacheMode::Off,
            announces: false,
            arrived,
            deadline: arrived + time,
            has_deadline: true,
            onward: HeaderMap::new(),
        }
    }

    #[tokio::test]
    async fn a_trial_that_times_out_lengthens_the_time_to_the_next() {
        let (url, told) = silent().await;
        let target = Target::new(Upstream::new("e", url, "m"), &[], &JobShares::default());
        let target = Arc::new(target.unwrap());
        let health = |now_ns| target.replicas[0].health(|health| health.usable(8, now_ns));
        target.replicas[0].health(|health| {
            let failed =
                Failed { class: ErrorClass::Server, status: Some(500), retry_after_ns: None };
            for _ in 0..TRIP.failures {
                let _ = health.failed(failed, false, 0, &mut Pcg32::seed_from_u64(1));
            }
        });
        assert!(matches!(health(0), Usable::Down(ns) if ns <= TRIP.base_ns));
        sleep(Duration::from_nanos(TRIP.base_ns)).await;
        let order = order(Duration::from_secs(60));
        let (reply, sent_ns) = tokio::join!(forward(&target, &order), async {
            told.await.unwrap();
            // The server has the call, and nothing is left to wait for but its deadline.
            tokio::time::pause();
            target.now_ns()
        });
        assert_eq!((reply.tries, order.deadline <= Instant::now()), (1, true));
        let Outcome::Failed(response) = reply.outcome else { panic!("nobody has answered") };
        let class = &response.headers()[header::ERROR_CLASS];
        assert_eq!(class, ErrorClass::Timeout.as_str());
        // The second interval is twice as long as the first, up to half of it by chance; looked at
        // from the time of sending, so that no delay in here makes a difference.
        let wait = health(sent_ns);
        assert!(matches!(wait, Usable::Down(ns) if ns >= TRIP.base_ns), "{wait:?}");
    }
}
