//! Server-sent events: one `data:` line a chunk, `[DONE]` at the end.
//!
//! The body pulls: it waits for progress, and says what is new since it last looked. So a client
//! that reads slowly gets fewer and larger chunks, and nothing is queued for it. Dropping it, which
//! is what a closed connection does, drops the ticket and so cancels the requests.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::Value;

use super::body::StreamOptions;
use super::generate::{Generation, finish_reason};
use super::problem::Problem;
use super::wire::{End, Head};

/// How much of a choice has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Bytes(usize),
    All,
}

/// What is left to say.
struct Feed {
    head: Head,
    generation: Generation,
    options: StreamOptions,
    said: Vec<Said>,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Feed)>> + Send>>;

struct Events(Option<Next>);

/// A streamed answer.
pub(super) fn response(head: Head, generation: Generation, options: StreamOptions) -> Response {
    let said = vec![Said::Nothing; generation.scripts.len()];
    let feed = Feed { head, generation, options, said };
    let events = Events(Some(Box::pin(feed.next())));
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::new(events))
        .into_response()
}

fn event(out: &mut String, value: &Value) {
    // Writing to a string cannot fail.
    let _ = write!(out, "data: {value}\n\n");
}

impl Feed {
    fn over(&self) -> bool {
        self.said.iter().all(|said| *said == Said::All)
    }

    async fn next(mut self) -> Option<(Bytes, Feed)> {
        if self.over() {
            return None;
        }
        let mut out = String::new();
        while out.is_empty() {
            let progress = self.generation.ticket.progress();
            for (index, one) in progress.iter().enumerate() {
                let end = match one.outcome.as_ref().map(finish_reason).transpose() {
                    Ok(end) => end,
                    Err(problem) => return Some(self.failed(out, &problem)),
                };
                self.say(&mut out, index, one.produced, end);
            }
            if self.over() {
                if self.options.at_the_end() {
                    event(&mut out, &self.head.closing(self.generation.usage(&progress)));
                }
                out.push_str("data: [DONE]\n\n");
            } else if out.is_empty() {
                self.generation.ticket.changed().await;
            }
        }
        Some((Bytes::from(out), self))
    }

    /// What is new of choice `index`.
    fn say(&mut self, out: &mut String, index: usize, produced: u32, end: Option<&'static str>) {
        let from = match self.said[index] {
            Said::All => return,
            Said::Nothing => 0,
            Said::Bytes(from) => from,
        };
        let script = &self.generation.scripts[index];
        let text = script.upto(produced);
        let new = text.get(from..).unwrap_or("");
        if new.is_empty() && end.is_none() {
            return;
        }
        let usage =
            |produced| self.options.all_along().then(|| self.generation.usage_of(index, produced));
        let mut new = std::borrow::Cow::Borrowed(new);
        if self.said[index] == Said::Nothing {
            if let Some(opening) = self.head.opening(index, usage(0)) {
                event(out, &opening);
            }
            new.to_mut().insert_str(0, self.generation.echo(index));
        }
        let ended = end.map(|reason| End { reason, stop: script.stopped_by(produced) });
        event(out, &self.head.chunk(index, &new, ended, usage(produced)));
        self.said[index] = if end.is_some() { Said::All } else { Said::Bytes(text.len()) };
    }

    /// The status is sent already, so the problem becomes the last event.
    fn failed(mut self, mut out: String, problem: &Problem) -> (Bytes, Feed) {
        event(&mut out, &problem.json());
        out.push_str("data: [DONE]\n\n");
        self.said.fill(Said::All);
        (Bytes::from(out), self)
    }
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = self.0.as_mut() else { return Poll::Ready(None) };
        let said = ready!(next.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(said.map(|(bytes, feed)| {
            self.0 = Some(Box::pin(feed.next()));
            Ok(Frame::data(bytes))
        }))
    }
}
