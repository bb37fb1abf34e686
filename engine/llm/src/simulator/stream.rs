//! Server-sent events: one `data:` line a chunk, `[DONE]` at the end.
//!
//! The body pulls: it waits for progress, and says what is new since it last looked. Dropping it,
//! which is what a closed connection does, drops the ticket and so cancels the requests.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::Value;

use super::generate::{Generation, finish_reason};
use super::wire::Head;

/// What is left to say.
struct Feed {
    head: Head,
    generation: Generation,
    include_usage: bool,
    opened: bool,
    /// Bytes said of each prompt; `None` when it has ended.
    said: Vec<Option<usize>>,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Feed)>> + Send>>;

struct Events(Option<Next>);

/// A streamed answer.
pub(super) fn response(head: Head, generation: Generation, include_usage: bool) -> Response {
    let said = vec![Some(0); generation.scripts.len()];
    let feed = Feed { head, generation, include_usage, opened: false, said };
    let events = Events(Some(Box::pin(feed.next())));
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], Body::new(events))
        .into_response()
}

fn event(out: &mut String, value: &Value) {
    // Writing to a string cannot fail.
    let _ = write!(out, "data: {value}\n\n");
}

impl Feed {
    async fn next(mut self) -> Option<(Bytes, Feed)> {
        if self.said.iter().all(Option::is_none) {
            return None;
        }
        let mut out = String::new();
        while out.is_empty() {
            let progress = self.generation.ticket.progress();
            for (index, one) in progress.iter().enumerate() {
                let Some(said) = self.said[index] else { continue };
                let text = self.generation.scripts[index].upto(one.produced);
                let new = text.get(said..).unwrap_or("");
                let finish = match one.outcome.as_ref().map(finish_reason).transpose() {
                    Ok(finish) => finish,
                    Err(problem) => {
                        event(&mut out, &problem.json());
                        self.said.fill(None);
                        return Some((Bytes::from(out), self));
                    }
                };
                if new.is_empty() && finish.is_none() {
                    continue;
                }
                if !std::mem::replace(&mut self.opened, true)
                    && let Some(opening) = self.head.opening()
                {
                    event(&mut out, &opening);
                }
                event(&mut out, &self.head.chunk(index, new, finish));
                self.said[index] = finish.is_none().then_some(text.len());
            }
            if self.said.iter().all(Option::is_none) {
                if self.include_usage {
                    event(&mut out, &self.head.closing(self.generation.usage(&progress)));
                }
                out.push_str("data: [DONE]\n\n");
            } else if out.is_empty() {
                self.generation.ticket.changed().await;
            }
        }
        Some((Bytes::from(out), self))
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
