//! One try at the upstream.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use reqwest::Url;
use sage_core::endpoint::ErrorClass;
use sage_core::retry::Failure;

use super::problem;
use super::target::Target;
use super::transport;

/// Longest answer that is read.
const MAX_ANSWER: usize = 256 << 20;
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// What is sent.
pub(super) struct Outgoing {
    pub(super) url: Url,
    pub(super) body: Bytes,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) stream: bool,
}

/// What came of a try.
pub(super) enum Tried {
    /// The upstream answered, with success or not.
    Answered { parts: Parts, body: Bytes },
    /// The upstream has begun to answer; the rest is passed on as it comes.
    Streaming { parts: Parts, body: reqwest::Body },
    /// There is no answer.
    Failed { class: ErrorClass, message: String },
}

impl Tried {
    /// The failure, if it is one, for the retry rules.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Tried::Streaming { .. } => None,
            Tried::Answered { parts, .. } if parts.status.is_success() => None,
            Tried::Answered { parts, .. } => Some(Failure {
                class: problem::class_of_status(parts.status.as_u16()),
                retry_after_ns: retry_after(&parts.headers).map(|wait| wait.as_nanos() as u64),
            }),
            Tried::Failed { class, .. } => Some(Failure { class: *class, retry_after_ns: None }),
        }
    }
}

/// Send `outgoing` once.
pub(super) async fn send(target: &Target, outgoing: &Outgoing) -> Tried {
    let mut request = reqwest::Request::new(reqwest::Method::POST, outgoing.url.clone());
    *request.body_mut() = Some(outgoing.body.clone().into());
    let headers = request.headers_mut();
    headers.clone_from(&target.headers);
    let json = || HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, outgoing.content_type.clone().unwrap_or_else(json));
    if outgoing.stream {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    }
    let response = match target.client.execute(request).await {
        Ok(response) => response,
        Err(error) => return failed(target, error),
    };
    let (parts, body) = Response::from(response).into_parts();
    if outgoing.stream && parts.status.is_success() {
        return Tried::Streaming { parts, body };
    }
    match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(collected) => Tried::Answered { parts, body: collected.to_bytes() },
        Err(error) => {
            if let Ok(error) = error.downcast::<reqwest::Error>() {
                return failed(target, *error);
            }
            let message = format!("{}: the answer is longer than 256 MiB", target.url);
            Tried::Failed { class: ErrorClass::Protocol, message }
        }
    }
}

fn failed(target: &Target, error: reqwest::Error) -> Tried {
    let class = if error.is_connect() {
        ErrorClass::Unreachable
    } else if error.is_builder() {
        ErrorClass::Rejected
    } else {
        ErrorClass::Server
    };
    let url = &target.url;
    let cause = transport::describe(error);
    let message = match class {
        ErrorClass::Server => format!("{url}: the connection broke before the answer: {cause}"),
        _ => format!("{url}: {cause}"),
    };
    Tried::Failed { class, message }
}

/// How long the upstream asks to be left alone. Its form as a date is not understood: it would
/// make the answer depend on two clocks.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = match number(&RETRY_AFTER_MS) {
        Some(ms) => ms / 1e3,
        None => number(&RETRY_AFTER)?,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The upstream's answer as the gateway's own: status, body and the headers that belong to it.
pub(super) fn pass_on(parts: &Parts, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    // A simulated answer must say so, however many hops it makes.
    let request_id = HeaderName::from_static("x-request-id");
    let simulated = HeaderName::from_static("x-sage-endpoint");
    for name in [CONTENT_TYPE, RETRY_AFTER, request_id, simulated] {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
