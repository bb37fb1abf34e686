//! A streamed answer on its way through.
//!
//! The call holds its permit until the stream has ended, not until it has begun: what loads the
//! upstream is the generation. The usage comes in one of the last events, so only the end of the
//! stream is kept for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use sage_core::endpoint::ErrorClass;
use tokio::time::{Instant, Sleep, sleep_until};

use super::attempt::Failed;
use super::forward::Under;
use super::order::DEFAULT_DEADLINE;
use super::peek;
use super::turnstile::Pass;

/// Kept of the end of a stream.
const TAIL: usize = 4 << 10;

/// See the module.
pub(super) struct Relay {
    body: reqwest::Body,
    /// Gone when the outcome is booked. Dropped with the relay otherwise: the client went away.
    call: Option<(Pass, Under)>,
    tail: Vec<u8>,
    timer: Pin<Box<Sleep>>,
    /// Without a deadline of the client's, each event has as long as a whole call.
    per_event: bool,
}

impl Relay {
    pub(super) fn new(
        body: reqwest::Body,
        pass: Pass,
        mut under: Under,
        until: Option<Instant>,
    ) -> Self {
        under.visit.begins();
        let end = until.unwrap_or_else(|| Instant::now() + DEFAULT_DEADLINE);
        let timer = Box::pin(sleep_until(end));
        let per_event = until.is_none();
        Relay { body, call: Some((pass, under)), tail: Vec::new(), timer, per_event }
    }

    /// Longest time that whoever reads it may take for a piece.
    pub(super) fn patience(&self) -> Duration {
        self.timer.deadline().saturating_duration_since(Instant::now())
    }

    fn keep(&mut self, data: &[u8]) {
        self.tail.extend_from_slice(&data[data.len().saturating_sub(TAIL)..]);
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
    }

    fn end(&mut self, failure: Option<ErrorClass>) {
        let Some((pass, Under { visit, taken })) = self.call.take() else { return };
        let usage = peek::usage_in(&self.tail);
        // A stream that does not tell its usage has used what was taken for it.
        if let Some(usage) = usage {
            taken.settle(usage.total() as f64);
        }
        pass.leave(failure.map_or(Ok(usage.unwrap_or_default()), Err));
        match failure {
            None => visit.succeeded(usage.unwrap_or_default()),
            Some(class) => {
                visit.failed(Failed::of_class(class).what, "the stream did not end");
            }
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.timer.as_mut().poll(context).is_ready() {
            self.end(Some(ErrorClass::Timeout));
            return Poll::Ready(Some(Err("the stream took longer than the call had".into())));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
                if self.per_event {
                    self.timer.as_mut().reset(Instant::now() + DEFAULT_DEADLINE);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.end(Some(ErrorClass::Server));
                Poll::Ready(Some(Err(error.into())))
            }
            None => {
                self.end(None);
                Poll::Ready(None)
            }
        }
    }
}
