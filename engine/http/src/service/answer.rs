//! Answers: the row that came out, or what is wrong in one form, `{"error": {...}}`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use sage_core::service::{Failure, Reply};
use serde_json::json;

/// What is wrong with a request, or with what became of it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    class: String,
    message: String,
    stage: Option<String>,
    hint: Option<Hint>,
}

/// What a client is told beside a refusal, as a header.
#[derive(Debug, Clone, Copy)]
enum Hint {
    /// To come again after so many seconds.
    Again(u64),
    /// Which method is allowed.
    Allow(&'static str),
    /// To bring a token.
    Challenge,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        class: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let (class, message) = (class.into(), message.into());
        Problem { status, class, message, stage: None, hint: None }
    }

    /// Come again after so many seconds.
    pub(super) fn again(mut self, seconds: u64) -> Self {
        self.hint = Some(Hint::Again(seconds));
        self
    }

    pub(super) fn allow(mut self, method: &'static str) -> Self {
        self.hint = Some(Hint::Allow(method));
        self
    }

    pub(super) fn challenge(mut self) -> Self {
        self.hint = Some(Hint::Challenge);
        self
    }

    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let mut error = json!({ "class": self.class, "message": self.message });
        if let (Some(stage), Some(fields)) = (self.stage, error.as_object_mut()) {
            fields.insert("stage".into(), stage.into());
        }
        let mut response = json(self.status, json!({ "error": error }).to_string().into_bytes());
        let header = self.hint.map(|hint| match hint {
            Hint::Again(seconds) => (RETRY_AFTER, HeaderValue::from(seconds)),
            Hint::Allow(method) => (ALLOW, HeaderValue::from_static(method)),
            Hint::Challenge => (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        });
        response.headers_mut().extend(header);
        response
    }
}

/// A JSON text as an answer.
pub(super) fn json(status: StatusCode, mut body: Vec<u8>) -> Response<Full<Bytes>> {
    if !body.ends_with(b"\n") {
        body.push(b'\n');
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let ty = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, ty);
    response
}

/// The answer to a request whose record has ended.
pub(super) fn of_reply(reply: Reply, number: u64) -> Result<Response<Full<Bytes>>, Problem> {
    match reply {
        Reply::Rows { count: 1, lines } => {
            let mut response = json(StatusCode::OK, lines);
            let name = HeaderName::from_static("x-sage-task");
            response.headers_mut().insert(name, HeaderValue::from(number));
            Ok(response)
        }
        Reply::Rows { count, .. } => {
            let message = format!(
                "the flow emitted {count} rows for the request, and an answer is one; give its emits \
                 conditions of which one holds"
            );
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "several_rows", message))
        }
        Reply::Nothing => {
            let message =
                "the flow dropped the record: a `where` was not true for it, or no `emit` was";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "dropped", message))
        }
        Reply::Failed(failure) => Err(of_failure(failure)),
    }
}

/// A failed record. What it asked of others and did not get is no fault of the client's.
fn of_failure(failure: Failure) -> Problem {
    let Failure { stage, class, message, status: _ } = failure;
    let (status, again) = match class.as_str() {
        "deadline" | "timeout" => (StatusCode::GATEWAY_TIMEOUT, false),
        "throttled" | "shed" | "cancelled" | "abandoned" => (StatusCode::SERVICE_UNAVAILABLE, true),
        "unreachable" | "server" | "rejected" | "protocol" | "invalid_output" => {
            (StatusCode::BAD_GATEWAY, false)
        }
        // What the record holds cannot be computed with.
        "expression" => (StatusCode::UNPROCESSABLE_ENTITY, false),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, false),
    };
    let mut problem = Problem::new(status, class, message);
    problem.stage = Some(stage);
    if again { problem.again(1) } else { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(reply: Reply) -> u16 {
        match of_reply(reply, 1) {
            Ok(response) => response.status().as_u16(),
            Err(problem) => problem.response().status().as_u16(),
        }
    }

    #[test]
    fn every_end_of_a_record_has_a_status() {
        let rows = |count| Reply::Rows { count, lines: b"{}\n".to_vec() };
        let failed = |class: &str| {
            let (stage, message) = ("answer".to_owned(), "why".to_owned());
            Reply::Failed(Failure { stage, class: class.into(), status: None, message })
        };
        let ends = [
            (rows(1), 200),
            (rows(2), 500),
            (Reply::Nothing, 422),
            (failed("expression"), 422),
            (failed("timeout"), 504),
            (failed("deadline"), 504),
            (failed("throttled"), 503),
            (failed("invalid_output"), 502),
            (failed("something new"), 500),
        ];
        for (reply, wanted) in ends {
            assert_eq!(status(reply.clone()), wanted, "{reply:?}");
        }
    }
}
