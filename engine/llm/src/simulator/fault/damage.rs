//! Answers that break on the way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Effect;
use crate::simulator::problem::Problem;

/// Bytes of a stream that come through before it breaks, at least.
const OF_A_STREAM: u64 = 300;
/// Real time between the last byte and the break: it has to leave the machine first.
const PAUSE: Duration = Duration::from_millis(20);

/// A body that fails at once, upon which the connection is closed before anything is sent.
pub(in super::super) fn broken() -> Response {
    Response::new(Body::new(Cut { inner: Body::empty(), left: 0, pause: None, whole: 1 }))
}

/// Do to an answer what `effect` says; `lot` decides where it breaks.
pub(in super::super) async fn damage(response: Response, effect: Effect, lot: u64) -> Response {
    match effect {
        Effect::BadJson => spoil(response).await,
        Effect::Truncated | Effect::Reset => response.map(|inner| {
            let exact = inner.size_hint().exact();
            let left = match exact {
                // From a fifth to four fifths.
                Some(size) => size * (20 + lot % 61) / 100,
                None => OF_A_STREAM + lot % 1000,
            };
            let whole = exact.unwrap_or(0);
            Body::new(Cut { inner, left, pause: Some(Box::pin(sleep(PAUSE))), whole })
        }),
        Effect::Status(_) | Effect::Drop | Effect::Stall => response,
    }
}

/// Break the JSON of an answer, and of each event of a stream.
async fn spoil(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    if body.size_hint().exact().is_none() {
        let body = body.map_frame(|frame| frame.map_data(|data| Bytes::from(unquoted(&data))));
        return Response::from_parts(parts, Body::new(body));
    }
    let Ok(whole) = body.collect().await else {
        return Problem::stopping().into_response();
    };
    let mut response = Response::from_parts(parts, Body::from(unquoted(&whole.to_bytes())));
    response.headers_mut().remove(axum::http::header::CONTENT_LENGTH);
    response
}

/// Without the first quotation mark of each object that holds choices or data, and of any other
/// text without its last byte: never JSON again.
fn unquoted(data: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(data);
    let spoiled = text.replace("{\"id\":", "{id\":");
    if spoiled == text {
        let keep = text.trim_end().len().saturating_sub(1);
        return data.get(..keep).unwrap_or_default().to_vec();
    }
    spoiled.into_bytes()
}

/// A body that ends with an error before its end.
struct Cut {
    inner: Body,
    /// Bytes that still come through.
    left: u64,
    pause: Option<Pin<Box<Sleep>>>,
    /// What the length is said to be; 0 when it is not said.
    whole: u64,
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left > 0 {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(mut data) = frame.into_data() else { return Poll::Ready(None) };
                    data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                    self.left -= data.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                // Shorter than the place of the break: it breaks at its end.
                None => self.left = 0,
            }
        }
        if let Some(pause) = self.pause.as_mut() {
            ready!(pause.as_mut().poll(context));
        }
        Poll::Ready(Some(Err(io::Error::other("injected fault"))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.whole > 0 { SizeHint::with_exact(self.whole) } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoiled_is_no_json() {
        for text in ["{\"id\":1,\"object\":\"list\"}", "{\"error\":{\"message\":\"x\"}}", "[1]"] {
            let spoiled = unquoted(text.as_bytes());
            assert!(serde_json::from_slice::<serde_json::Value>(&spoiled).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_cut_body_announces_more_than_it_has() {
        let whole = Response::new(Body::from("x".repeat(1000)));
        let cut = damage(whole, Effect::Truncated, 3).await.into_body();
        assert_eq!(cut.size_hint().exact(), Some(1000));
        let mut cut = Box::pin(cut);
        let mut received = 0;
        let error = loop {
            match cut.frame().await {
                Some(Ok(frame)) => received += frame.into_data().unwrap().len(),
                Some(Err(error)) => break error,
                None => panic!("no error"),
            }
        };
        assert!(error.to_string().contains("injected") && received == 230, "{received}");
    }
}
