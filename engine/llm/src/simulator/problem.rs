//! Errors on the wire, in vLLM's shape: `{"error": {message, type, param, code}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sage_core::endpoint::{CallError, ErrorClass};
use serde_json::json;

/// An answer that is an error.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    param: Option<&'static str>,
    message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::UNAUTHORIZED => "AuthenticationError",
            StatusCode::FORBIDDEN => "PermissionDeniedError",
            StatusCode::NOT_FOUND => "NotFoundError",
            StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLargeError",
            StatusCode::TOO_MANY_REQUESTS => "RateLimitError",
            StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailableError",
            _ if status.is_client_error() => "BadRequestError",
            _ => "InternalServerError",
        };
        Problem { status, kind, param: None, message: message.into() }
    }

    /// 400 that blames a field.
    pub(super) fn bad(param: &'static str, message: impl Into<String>) -> Self {
        let param = Some(param);
        Problem { param, ..Problem::new(StatusCode::BAD_REQUEST, message) }
    }

    /// 404 for a model that is not served.
    pub(super) fn unknown_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist.");
        let param = Some("model");
        Problem { param, ..Problem::new(StatusCode::NOT_FOUND, message) }
    }

    /// 503 while the server goes down.
    pub(super) fn stopping() -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down.")
    }

    /// As the caller of the gateway is told of it, which does not try such a call again.
    pub(super) fn rejection(self) -> CallError {
        let status = Some(self.status.as_u16());
        CallError { status, ..CallError::new(ErrorClass::Rejected, self.message) }
    }

    /// The JSON of it, for the stream of a response that has begun.
    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.status.as_u16(),
            }
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
