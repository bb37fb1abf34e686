//! One try at the upstream.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use sage_core::endpoint::ErrorClass;
use sage_core::upstream;
use tokio::time::Instant;

use super::header;
use super::order::Order;
use super::peek::{self, Usage};
use super::problem;
use super::replica::Replica;
use super::retry_after::retry_after;
use super::transport;

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;
/// Characters of what is no answer that are shown.
const QUOTED: usize = 200;

/// What came of a try.
pub(super) enum Tried {
    /// The upstream answered, with success or not, and what the answer used.
    Answered { parts: Parts, body: Bytes, usage: Usage },
    /// The upstream has begun to answer; the rest is passed on as it comes.
    Streaming { parts: Parts, body: reqwest::Body },
    /// There is no answer, or what came is none.
    Failed { class: ErrorClass, message: String },
}

/// What the retry rules must know of a try that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed {
    pub(super) what: upstream::Failed,
    /// A gateway of ours has answered: it has made the tries that there were to make.
    pub(super) by_gateway: bool,
    /// It never got as far as a try of that gateway.
    pub(super) untried: bool,
}

impl Failed {
    /// There is no answer, and no word of a gateway.
    pub(super) fn of_class(class: ErrorClass) -> Failed {
        let what = upstream::Failed { class, status: None, retry_after_ns: None };
        Failed { what, by_gateway: false, untried: true }
    }
}

impl Tried {
    /// How it failed, in few words.
    pub(super) fn how(&self) -> Cow<'_, str> {
        match self {
            Tried::Answered { parts, .. } | Tried::Streaming { parts, .. } => {
                Cow::Owned(format!("answered {}", parts.status))
            }
            Tried::Failed { message, .. } => Cow::Borrowed(message),
        }
    }

    /// The failure, if it is one.
    pub(super) fn failure(&self) -> Option<Failed> {
        let answered = |parts: &Parts| Failed {
            what: upstream::Failed {
                class: class_of(parts),
                status: Some(parts.status.as_u16()),
                retry_after_ns: retry_after(&parts.headers, SystemTime::now())
                    .map(|wait| wait.as_nanos() as u64),
            },
            by_gateway: parts.headers.contains_key(header::GATEWAY),
            untried: header::number(&parts.headers, &header::ATTEMPTS).unwrap_or(0) == 0,
        };
        match self {
            Tried::Streaming { .. } => None,
            Tried::Answered { parts, .. } if parts.status.is_success() => None,
            Tried::Answered { parts, .. } => Some(answered(parts)),
            Tried::Failed { class, .. } => Some(Failed::of_class(*class)),
        }
    }
}

/// The class of an answer that is none: a gateway's own word, or what the status says.
pub(super) fn class_of(parts: &Parts) -> ErrorClass {
    let own = parts.headers.contains_key(header::GATEWAY).then(|| header::class(&parts.headers));
    own.flatten().unwrap_or_else(|| problem::class_of_status(parts.status.as_u16()))
}

/// Send `order` to `replica` once. What is no answer shows none of its secrets.
pub(super) async fn send(replica: &Replica, order: &Order) -> Tried {
    match ask(replica, order).await {
        Tried::Answered { parts, body, usage } if !parts.status.is_success() => {
            let body = match replica.mask.hide_bytes(&body) {
                Cow::Borrowed(_) => body,
                Cow::Owned(shown) => shown.into(),
            };
            Tried::Answered { parts, body, usage }
        }
        Tried::Failed { class, message } => {
            Tried::Failed { class, message: replica.mask.hide(&message).into_owned() }
        }
        tried => tried,
    }
}

async fn ask(replica: &Replica, order: &Order) -> Tried {
    let url = replica.endpoint(order.operation).clone();
    let mut request = reqwest::Request::new(reqwest::Method::POST, url);
    *request.body_mut() = Some(order.body.clone().into());
    let headers = request.headers_mut();
    headers.clone_from(&replica.headers);
    let json = || HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, order.content_type.clone().unwrap_or_else(json));
    if order.stream {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    }
    if replica.gateway.load(Ordering::Relaxed) {
        tell_gateway(headers, order);
    }
    let response = match replica.client.execute(request).await {
        Ok(response) => response,
        Err(error) => return failed(replica, error),
    };
    let (parts, body) = Response::from(response).into_parts();
    // A server that does not stream, or that is none, says so by the kind of its answer.
    if order.stream && parts.status.is_success() && !is_document(&parts) {
        return Tried::Streaming { parts, body };
    }
    match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(collected) => understand(replica, order, parts, collected.to_bytes()),
        Err(error) => {
            if let Ok(error) = error.downcast::<reqwest::Error>() {
                return failed(replica, *error);
            }
            // It would be as long the next time.
            let most = MAX_ANSWER >> 20;
            let message = format!("{}: the answer is longer than {most} MiB", replica.url);
            Tried::Failed { class: ErrorClass::Rejected, message }
        }
    }
}

/// Whether an answer is something whole; anything else may be a stream, named carelessly.
fn is_document(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.starts_with(b"text/html") || kind.starts_with(b"application/json")
}

/// A whole answer, if it is one.
fn understand(replica: &Replica, order: &Order, parts: Parts, body: Bytes) -> Tried {
    if !parts.status.is_success() {
        return Tried::Answered { parts, body, usage: Usage::default() };
    }
    match peek::answer(order.operation, &body) {
        Ok(usage) => Tried::Answered { parts, body, usage },
        Err(why) => {
            let begins = String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED)]);
            let begins: String = begins.chars().take(QUOTED).collect();
            let (url, status) = (&replica.url, parts.status);
            let message =
                format!("{url} answered {status} with what is no answer ({why}): {begins:?}");
            Tried::Failed { class: ErrorClass::Protocol, message }
        }
    }
}

/// A gateway further on is told what this one was told, with less time.
fn tell_gateway(headers: &mut HeaderMap, order: &Order) {
    headers.extend(order.onward.iter().map(|(name, value)| (name.clone(), value.clone())));
    if !order.records.is_empty()
        && let Ok(records) = HeaderValue::try_from(header::write_records(&order.records))
    {
        headers.insert(header::RECORD, records);
    }
    let left = order.deadline.saturating_duration_since(Instant::now());
    let left_ns = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
    let told_ms = upstream::settings::told_ms(left_ns);
    headers.insert(header::DEADLINE_MS, HeaderValue::from(told_ms));
}

fn failed(replica: &Replica, error: reqwest::Error) -> Tried {
    let class = if error.is_connect() {
        ErrorClass::Unreachable
    } else if error.is_builder() {
        ErrorClass::Rejected
    } else {
        ErrorClass::Server
    };
    let url = &replica.url;
    let cause = transport::describe(error);
    let message = match class {
        ErrorClass::Server => format!("{url}: the connection broke before the answer: {cause}"),
        _ => format!("{url}: {cause}"),
    };
    Tried::Failed { class, message }
}

/// The upstream's answer as the gateway's own: status, body and the headers that belong to it.
pub(super) fn pass_on(parts: &Parts, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    // A simulated answer must say so, however many hops it makes.
    let request_id = HeaderName::from_static("x-request-id");
    for name in [CONTENT_TYPE, RETRY_AFTER, request_id, header::ENDPOINT] {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
