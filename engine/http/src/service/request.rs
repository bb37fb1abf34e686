//! One request: who asks, what for, the record in its body, and the wait for what becomes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, EXPECT, HeaderMap, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use sage_core::record::{Datum, Items, RowReader};
use sage_dsl::types::{RecordType, Type, Value};
use serde_json::json;
use tokio::time::timeout;

use super::answer::{Problem, of_reply};
use super::connection::Door;
use super::desk::{Phase, Refused};

/// A body has this long to come, if the deadline is not shorter.
const BODY: Duration = Duration::from_secs(30);

/// Most that is read of a body that is not wanted, and how long.
const DISCARDED: usize = 16 << 20;
const DISCARDING: Duration = Duration::from_secs(5);
/// Who sends nothing for so long waits for the answer.
const PAUSE: Duration = Duration::from_millis(250);

/// Answer a request.
pub(super) async fn handle(request: Request<Incoming>, door: &Arc<Door>) -> Response<Full<Bytes>> {
    let (head, mut body) = request.into_parts();
    match answered(&head, &mut body, door).await {
        Ok(response) => response,
        Err(problem) => {
            // Who asks before it sends is answered before it does.
            if !head.headers.contains_key(EXPECT) {
                discard(&mut body).await;
            }
            problem.response()
        }
    }
}

/// Read on in a body that nobody wants. Many clients look for an answer only when they have sent all,
/// and a connection that is closed while they send breaks off without one.
async fn discard(body: &mut Incoming) {
    let all = async {
        let mut read = 0;
        while read < DISCARDED
            && let Ok(Some(Ok(frame))) = timeout(PAUSE, body.frame()).await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // What is still to come then is more than is read for nothing.
    let _ = timeout(DISCARDING, all).await;
}

async fn answered(
    head: &Parts,
    body: &mut Incoming,
    door: &Arc<Door>,
) -> Result<Response<Full<Bytes>>, Problem> {
    let (path, method) = (head.uri.path(), &head.method);
    if path == "/health" && matches!(*method, Method::GET | Method::HEAD) {
        return Ok(health(door));
    }
    if path != door.config.path {
        let message = format!("nothing is at `{path}`; POST {} or GET /health", door.config.path);
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message));
    }
    if *method != Method::POST {
        let message = "a request is a POST with a JSON object";
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", message).allow("POST"));
    }
    permitted(&head.headers, door)?;
    door.desk.admits().map_err(refused)?;
    let arrived = Instant::now();
    let body = whole(body, door).await?;
    // All connections have one thread, so nobody comes in between the key and the admission.
    let row = row(&body, &door.config.record, door.desk.upcoming())
        .map_err(|message| Problem::new(StatusCode::BAD_REQUEST, "bad_request", message))?;
    drop(body);
    let (number, answer) = door.desk.admit(row, Instant::now()).map_err(refused)?;
    let left = door.config.deadline.saturating_sub(arrived.elapsed());
    match timeout(left, answer).await {
        Ok(Ok(reply)) => of_reply(reply, number),
        Ok(Err(_)) => {
            let message = "the service ended before the answer was there; ask again";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ended", message).again(1))
        }
        Err(_) => {
            let message = format!(
                "there was no answer within {:?}; the record is still worked on, and its answer is lost",
                door.config.deadline
            );
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "deadline", message))
        }
    }
}

fn health(door: &Door) -> Response<Full<Bytes>> {
    let phase = *door.desk.phase().borrow();
    let (inside, capacity) = door.desk.load();
    let (status, word) = match phase {
        Phase::Open => (StatusCode::OK, "ok"),
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Phase::Sated | Phase::Draining | Phase::Ended => {
            (StatusCode::SERVICE_UNAVAILABLE, "draining")
        }
    };
    let body = json!({ "status": word, "requests": inside, "max_requests": capacity });
    super::answer::json(status, body.to_string().into_bytes())
}

/// Whether the caller may ask at all.
fn permitted(headers: &HeaderMap, door: &Door) -> Result<(), Problem> {
    let Some(token) = &door.config.token else {
        // Without a token a page in a browser of this machine could ask in the name of nobody.
        if headers.contains_key(ORIGIN) {
            let message =
                "pages of a browser are not served without a token (`token:` of the source)";
            return Err(Problem::new(StatusCode::FORBIDDEN, "origin", message));
        }
        return Ok(());
    };
    let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    if given.is_some_and(|given| same(given, token.as_bytes())) {
        return Ok(());
    }
    let message = "bring the token of this service: `Authorization: Bearer TOKEN`";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message).challenge())
}

/// The token in a header. The name of the scheme may be written in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii_start())
}

/// Compared in a time that does not tell how much of it is right.
fn same(given: &[u8], token: &[u8]) -> bool {
    let differs = given.iter().zip(token).fold(0, |differs, (a, b)| differs | (a ^ b));
    given.len() == token.len() && differs == 0
}

fn refused(why: Refused) -> Problem {
    match why {
        Refused::Full(wait) => {
            let message = "as many requests as the service takes are in the pipeline";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "full", message);
            problem.again(wait.as_secs().max(1))
        }
        Refused::Unnoted(why) => {
            let message = format!("the service cannot write down that a request came: {why}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closed", message).again(1)
        }
        Refused::Closed(phase) => {
            let message = match phase {
                Phase::Starting => "the service is starting",
                Phase::Sated => {
                    "the service has taken as many requests as it was to take and is ending"
                }
                _ => "the service is ending and takes no further requests",
            };
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "closed", message).again(1)
        }
    }
}

/// The whole body, within its bounds of size, memory and time.
async fn whole(body: &mut Incoming, door: &Door) -> Result<Bytes, Problem> {
    let most = door.config.max_body;
    let large = || {
        let message = format!("the body is larger than {most} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    let declared = body.size_hint().lower();
    if declared > most as u64 {
        return Err(large());
    }
    // One that does not say how long it is may be as long as any.
    let expected = body.size_hint().exact().unwrap_or(most as u64);
    let kib = (expected >> 10) as u32 + 1;
    let _room = door.room.try_acquire_many(kib.min(most as u32 >> 10).max(1)).map_err(|_| {
        let message = "the bodies that are being read fill their memory";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "full", message).again(1)
    })?;
    let collected = timeout(BODY.min(door.config.deadline), Limited::new(body, most).collect());
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(large()),
        Ok(Err(_)) => {
            let message = "the body broke off, or is not what its head says";
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad_request", message))
        }
        Err(_) => {
            let message = "the body did not come in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow", message))
        }
    }
}

/// The record in a body. One that brings no key gets that of its request, by number.
pub(super) fn row(body: &[u8], record: &RecordType, number: u64) -> Result<Vec<u8>, String> {
    let mut numbered;
    let mut record = record;
    if let Some(key) = record.key() {
        let field = &record.fields[key];
        let number = number.saturating_add(1);
        let default = match (&field.ty, &field.default) {
            (Type::String, None) => Some(Value::String(format!("request-{number}"))),
            (Type::Int, None) => Some(Value::Int(number as i64)),
            _ => None,
        };
        if default.is_some() {
            numbered = record.clone();
            numbered.fields[key].default = default;
            record = &numbered;
        }
    }
    let mut row = Vec::with_capacity(body.len() + 64);
    RowReader::new(record).read(&mut row, body).map_err(|error| error.to_string())?;
    match record.key().map(|key| Items::new(&row).get(key)) {
        Some(Datum::Str("")) => {
            let name = record.key().map_or("", |key| record.fields[key].name.as_str());
            Err(format!("field `{name}`: the key is empty"))
        }
        _ => Ok(row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sage_dsl::types::Field;

    fn query() -> RecordType {
        let field = |name: &str, ty, key| Field { name: name.into(), ty, default: None, key };
        let fields = vec![field("id", Type::String, true), field("n", Type::Int, false)];
        RecordType { name: "Query".into(), fields }
    }

    #[test]
    fn a_body_is_a_record_or_a_message_that_names_the_field() {
        let row = |text: &str| super::row(text.as_bytes(), &query(), 0);
        let packed = row(r#"{"id":"a","n":3,"more":[1]}"#).unwrap();
        let mut items = Items::new(&packed);
        assert_eq!((items.next(), items.next()), (Some(Datum::Str("a")), Some(Datum::Int(3))));
        for (text, part) in [
            (r#"{"id":"a"}"#, "field `n` is missing"),
            (r#"{"id":"a","n":"x"}"#, "field `n`"),
            (r#"{"id":"","n":1}"#, "field `id`: the key is empty"),
            (r#"{"id":"a","n":1"#, "not valid JSON"),
            (r#"{"id":"a","n":1} x"#, "not valid JSON"),
            ("[1]", "an object with the fields of Query"),
            ("", "not valid JSON"),
        ] {
            let message = row(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn a_record_without_a_key_gets_one_that_no_other_has() {
        let key = |number| {
            let row = row(br#"{"n":3}"#, &query(), number).unwrap();
            Items::new(&row).next().unwrap().as_str().unwrap().to_owned()
        };
        assert_eq!((key(0), key(41)), ("request-1".to_owned(), "request-42".to_owned()));
    }

    #[test]
    fn the_scheme_of_a_token_may_be_written_in_any_case() {
        for value in ["Bearer x", "bearer x", "BEARER  x"] {
            assert_eq!(bearer(value.as_bytes()), Some(b"x".as_slice()), "{value}");
        }
        for value in ["Bearer", "Bearerx", "Basic x", ""] {
            assert_eq!(bearer(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn tokens_are_the_same_only_if_they_are() {
        assert!(same(b"secret", b"secret"));
        for other in [b"secre".as_slice(), b"secrets", b"sEcret", b""] {
            assert!(!same(other, b"secret"));
        }
    }
}
