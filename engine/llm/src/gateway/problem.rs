//! Failures in the OpenAI API's shape, written and read.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use sage_core::endpoint::ErrorClass;
use serde::{Deserialize, Serialize};

use super::header;

/// Longest message that is passed on.
const MAX_MESSAGE: usize = 500;

/// What is answered instead of an upstream's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) class: ErrorClass,
    pub(super) message: String,
    pub(super) retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Object<'a>,
}

#[derive(Serialize)]
struct Object<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'static str>,
    code: u16,
}

impl Problem {
    /// A failure with the status that belongs to its class.
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        let status = match class {
            ErrorClass::Unreachable | ErrorClass::Abandoned | ErrorClass::Cancelled => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ErrorClass::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorClass::Throttled => StatusCode::TOO_MANY_REQUESTS,
            ErrorClass::Server | ErrorClass::Protocol => StatusCode::BAD_GATEWAY,
            ErrorClass::Rejected => StatusCode::BAD_REQUEST,
        };
        Problem { status, class, message: message.into(), retry_after_s: None }
    }

    /// No room for another call before `seconds`.
    pub(super) fn full(message: impl Into<String>, seconds: u32) -> Self {
        let seconds = Some(seconds.max(1));
        Problem { retry_after_s: seconds, ..Problem::new(ErrorClass::Throttled, message) }
    }

    /// A request that is wrong in a particular way.
    pub(super) fn rejected(status: StatusCode, message: impl Into<String>) -> Self {
        Problem {
            status,
            class: ErrorClass::Rejected,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// As a response.
    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::from(envelope(self.status, &self.message)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ERROR_CLASS, HeaderValue::from_static(self.class.as_str()));
        headers.insert(header::GATEWAY, HeaderValue::from_static("1"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The API's body of a failure.
fn envelope(status: StatusCode, message: &str) -> Vec<u8> {
    let error = Object {
        message,
        r#type: match status {
            StatusCode::UNAUTHORIZED => "AuthenticationError",
            StatusCode::FORBIDDEN => "PermissionDeniedError",
            StatusCode::NOT_FOUND => "NotFoundError",
            StatusCode::TOO_MANY_REQUESTS => "RateLimitError",
            status if status.is_client_error() => "BadRequestError",
            _ => "ServiceUnavailableError",
        },
        param: None,
        code: status.as_u16(),
    };
    serde_json::to_vec(&Envelope { error }).unwrap_or_default()
}

/// `body` in the API's shape, if it is a failure that is not: pages of proxies, empty objects, bare
/// messages. Clients of the API look for `error.message` and nowhere else.
pub(super) fn wrapped(status: StatusCode, body: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Shape<'a> {
        #[serde(borrow, rename = "error")]
        _error: Inner<'a>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow, rename = "message")]
        _message: Cow<'a, str>,
    }
    let object = body.trim_ascii_start().starts_with(b"{");
    if object && serde_json::from_slice::<Shape<'_>>(body).is_ok() {
        return None;
    }
    let said = message_of(body)
        .unwrap_or_else(|| format!("the server answered {} without a message", status.as_u16()));
    Some(envelope(status, &said))
}

/// The class that a status speaks of.
pub(crate) fn class_of_status(status: u16) -> ErrorClass {
    match status {
        408 | 504 => ErrorClass::Timeout,
        429 => ErrorClass::Throttled,
        500.. => ErrorClass::Server,
        400..500 => ErrorClass::Rejected,
        _ => ErrorClass::Protocol,
    }
}

#[derive(Deserialize)]
struct Said {
    error: Option<SaidError>,
    message: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SaidError {
    Object { message: String },
    Text(String),
}

/// What the body of a failure says, shortened: OpenAI's object, a bare message, or plain text.
pub(crate) fn message_of(body: &[u8]) -> Option<String> {
    let said = match serde_json::from_slice::<Said>(body) {
        Ok(Said {
            error: Some(SaidError::Object { message } | SaidError::Text(message)), ..
        }) => message,
        Ok(Said { message: Some(message), .. } | Said { detail: Some(message), .. }) => message,
        _ => String::from_utf8_lossy(&body[..body.len().min(4 * MAX_MESSAGE)]).into_owned(),
    };
    let said = said.trim();
    if matches!(said, "" | "{}" | "[]" | "null") {
        return None;
    }
    Some(match said.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &said[..end]),
        None => said.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_another_shape_is_wrapped() {
        let wrap = |body: &str| {
            let wrapped = wrapped(StatusCode::BAD_GATEWAY, body.as_bytes())?;
            Some(message_of(&wrapped).unwrap_or_default())
        };
        assert_eq!(wrap(r#"{"error":{"message":"no","code":7}}"#), None);
        assert_eq!(wrap(r#"{"error":"no"}"#).as_deref(), Some("no"));
        assert_eq!(wrap("<html>no</html>").as_deref(), Some("<html>no</html>"));
        for empty in ["", "{}"] {
            let expected = "the server answered 502 without a message";
            assert_eq!(wrap(empty).as_deref(), Some(expected));
        }
        assert!(wrap(r#"[{"message":"no"}]"#).is_some());
        assert!(wrap(r#"{"error":{"message":null}}"#).is_some());
    }

    #[test]
    fn messages_are_found_in_every_shape() {
        let said = |body: &str| message_of(body.as_bytes());
        assert_eq!(said(r#"{"error":{"message":"no","code":400}}"#).as_deref(), Some("no"));
        assert_eq!(said(r#"{"error":"no"}"#).as_deref(), Some("no"));
        assert_eq!(said(r#"{"detail":"no"}"#).as_deref(), Some("no"));
        assert_eq!(said(r#"{"message":"no"}"#).as_deref(), Some("no"));
        assert_eq!(said(" Bad Gateway ").as_deref(), Some("Bad Gateway"));
        assert_eq!(said("  "), None);
        assert_eq!(said("{}"), None);
        assert_eq!(said(&"ä".repeat(600)).map(|text| text.chars().count()), Some(503));
    }
}
