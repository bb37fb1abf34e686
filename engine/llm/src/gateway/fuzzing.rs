//! What upstreams and clients say beside answers, for fuzz targets and property tests.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use fuzz_input::Choices;
use sage_core::limiter::ServerLoad;

use super::header::{self, CallId};
pub(crate) use super::order::Operation;
use super::problem::{message_of, wrapped};
use super::retry_after::retry_after;

/// Longest wait that anybody may ask for.
const MOST: Duration = Duration::from_secs(600);

/// Values of headers, of servers and of clients.
pub fn headers(input: &[u8]) {
    let mut choices = Choices::new(input);
    let which = choices.byte();
    let Ok(value) = HeaderValue::from_bytes(choices.rest()) else { return };
    let name = [
        header::ATTEMPTS,
        header::DEADLINE_MS,
        header::ERROR_CLASS,
        axum::http::header::RETRY_AFTER,
        axum::http::HeaderName::from_static("retry-after-ms"),
    ][usize::from(which) % 5]
        .clone();
    let headers: HeaderMap = [(name.clone(), value.clone())].into_iter().collect();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    assert!(retry_after(&headers, now).is_none_or(|wait| wait <= MOST));
    let _ = (header::number(&headers, &name), header::class(&headers));
    let Ok(text) = value.to_str() else { return };
    if let Some(records) = header::read_records(text) {
        let again = header::read_records(&header::write_records(&records));
        assert_eq!(again, Some(records));
    }
    if let Some(id) = CallId::parse(text) {
        assert_eq!(CallId::parse(&id.to_string()), Some(id));
    }
}

/// The `/metrics` page of a server.
pub fn metrics_page(input: &[u8]) {
    let Some(load) = std::str::from_utf8(input).ok().and_then(ServerLoad::parse) else { return };
    let is_count = |count: f64| count.is_finite() && count >= 0.0;
    assert!(is_count(load.running) && is_count(load.waiting), "{load:?}");
    assert!(load.kv_usage.is_none_or(|share| (0.0..=1.0).contains(&share)), "{load:?}");
    assert!(load.max_running.is_none_or(|most| most > 0), "{load:?}");
}

/// The body of a failure: clients find a short message in what is passed on.
pub fn failure_body(input: &[u8]) {
    let said = message_of(input);
    assert!(said.as_ref().is_none_or(|said| !said.is_empty() && said.chars().count() <= 503));
    if let Some(body) = wrapped(StatusCode::BAD_GATEWAY, input) {
        assert!(message_of(&body).is_some(), "it says nothing");
        assert_eq!(wrapped(StatusCode::BAD_GATEWAY, &body), None, "it is in the shape by now");
    }
}
