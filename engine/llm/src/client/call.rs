//! One call: request, answer, and every way in which there is none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, Uri};
use sage_core::endpoint::{Answer, Call, CallError, CallOutcome, ErrorClass, Lane, Request};
use sage_core::upstream::settings::told_ms;

use super::body::{self, Operation};
use super::connection::{Connections, TransportError};
use super::stream::Stream;
use super::{ClientConfig, ClientError};
use crate::gateway::header::{self, CallId};
use crate::gateway::problem;

/// Longest time for telling the gateway that calls are given up.
const ANNOUNCE: Duration = Duration::from_millis(500);

/// Pause before a gateway that was not reached is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Makes calls; everything that does not change from call to call is prepared here.
pub(super) struct Caller {
    connections: Connections,
    gateway: String,
    headers: HeaderMap,
    targets: Vec<Target>,
    /// So long a gateway that is gone is asked again before that is told.
    patience: Duration,
    /// Names this client's calls, among those of all clients.
    session: u64,
    calls: AtomicU64,
}

struct Target {
    model: String,
    chat: Uri,
    completions: Uri,
    embeddings: Uri,
}

impl Caller {
    pub(super) fn new(config: &ClientConfig, patience: Duration) -> Result<Caller, ClientError> {
        let authority = authority(&config.gateway, config.tls.is_some())?;
        let mut headers = HeaderMap::new();
        let mut set = |name, what, text: &str| {
            let value = HeaderValue::from_str(text).map_err(|_| ClientError::Text { what })?;
            headers.insert(name, value);
            Ok(())
        };
        set(HOST, "the gateway's address", &authority)?;
        set(header::JOB, "the job's name", &config.job)?;
        set(header::WORKER, "the worker's number", &config.worker.to_string())?;
        if !config.token.is_empty() {
            set(AUTHORIZATION, "the token", &format!("Bearer {}", config.token))?;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = headers.get_mut(AUTHORIZATION) {
            token.set_sensitive(true);
        }
        let targets = config.endpoints.iter().map(|endpoint| {
            let uri = |operation: &str| {
                format!("/e/{}/v1/{operation}", endpoint.name)
                    .parse()
                    .map_err(|_| ClientError::Text { what: "an endpoint's name" })
            };
            Ok(Target {
                model: endpoint.model.clone(),
                chat: uri("chat/completions")?,
                completions: uri("completions")?,
                embeddings: uri("embeddings")?,
            })
        });
        Ok(Caller {
            targets: targets.collect::<Result<_, ClientError>>()?,
            gateway: config.gateway.clone(),
            connections: Connections::new(
                authority,
                config.tls.clone(),
                config.max_in_flight.max(1),
            ),
            headers,
            patience,
            // Random keys: no other client has the same.
            session: std::hash::BuildHasher::hash_one(
                &std::hash::RandomState::new(),
                config.worker,
            ),
            calls: AtomicU64::new(0),
        })
    }

    /// The outcome of `call`, within its time counted from `submitted`.
    ///
    /// The gateway repeats what fails before a stream begins. One that breaks later has been handed
    /// on by then, so it is asked for again here: once, and whole, so that all further tries are the
    /// gateway's.
    pub(super) async fn run(&self, mut call: Call, submitted: Instant) -> CallOutcome {
        let outcome = self.once(&call, submitted).await;
        if !body::is_streamed(&call.request) || !broke_off(&outcome) {
            return outcome;
        }
        if let Request::Generate { options, .. } = &mut call.request {
            options.stream = false;
        }
        let again = self.once(&call, submitted).await;
        CallOutcome { attempts: again.attempts.saturating_add(outcome.attempts.max(1)), ..again }
    }

    /// The gateway's outcome. As long as it cannot be reached, or connections to it break, it is
    /// asked again: for this client's patience, while the call has time. It knows the question by
    /// then, and answers it once. A stream that breaks may have broken behind the gateway, so that is
    /// left to [`Caller::run`].
    async fn once(&self, call: &Call, submitted: Instant) -> CallOutcome {
        let failed = |error| CallOutcome::failed(error, 0);
        let limit = Duration::from_nanos(call.timeout_ns);
        let mut absent: Option<Instant> = None;
        loop {
            let left = limit.saturating_sub(submitted.elapsed());
            let number = self.calls.fetch_add(1, Ordering::Relaxed);
            let id = CallId { session: self.session, number };
            let tried = Instant::now();
            let exchange = self.exchange(call, id, submitted, left);
            let error = match tokio::time::timeout(left, exchange).await {
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(error)) => error,
                Err(_) => {
                    // Else the gateway would take the closed connection for a crash and go on.
                    self.give_up(&id.to_string()).await;
                    let seconds = limit.as_secs_f64();
                    return failed(CallError::new(
                        ErrorClass::Timeout,
                        format!("no answer from {} within {seconds:.1} s", self.gateway),
                    ));
                }
            };
            // What the gateway says is an answer; these are its absence.
            match error.class {
                ErrorClass::Unreachable => {}
                ErrorClass::Server if !body::is_streamed(&call.request) => {}
                _ => return failed(error),
            }
            // One that was there so long is gone anew.
            let before = absent.take().filter(|_| tried.elapsed() < self.patience);
            let since = *absent.insert(before.unwrap_or_else(Instant::now));
            let rest = self.patience.saturating_sub(since.elapsed());
            if rest.is_zero() {
                return failed(error);
            }
            if submitted.elapsed() + ASK_AGAIN >= limit {
                // No time for another try; but a process that ends with its gateway has time to.
                tokio::time::sleep(rest).await;
                return failed(error);
            }
            tokio::time::sleep(rest.min(ASK_AGAIN)).await;
        }
    }

    /// Tell the gateway that all calls are given up.
    pub(super) async fn give_up_all(&self) {
        self.give_up(&format!("{:x}", self.session)).await;
    }

    async fn give_up(&self, what: &str) {
        let path = format!("{}/{what}", header::CALLS_PATH);
        let Ok(uri) = path.parse::<Uri>() else { return };
        let build = || {
            let mut request = hyper::Request::new(Full::new(Bytes::new()));
            *request.method_mut() = Method::DELETE;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = self.headers.clone();
            request
        };
        let told = async {
            if let Ok((_, reading)) = self.connections.send(build).await {
                let _ = reading.whole().await;
            }
        };
        // A gateway that does not listen has nothing to be told.
        let _ = tokio::time::timeout(ANNOUNCE, told).await;
    }

    async fn exchange(
        &self,
        call: &Call,
        id: CallId,
        submitted: Instant,
        left: Duration,
    ) -> Result<CallOutcome, CallError> {
        let rejected = |message: String| CallError::new(ErrorClass::Rejected, message);
        let target = self
            .targets
            .get(call.endpoint)
            .ok_or_else(|| rejected(format!("the plan has no endpoint {}", call.endpoint)))?;
        if call.request.is_empty() {
            return Err(rejected("a call needs at least one item".into()));
        }
        let body = body::encode(&call.request, &target.model)
            .map_err(|error| rejected(format!("the request cannot be written: {error}")))?;
        let operation = Operation::of(&call.request);
        let uri = match operation {
            Operation::Chat => &target.chat,
            Operation::Completions => &target.completions,
            Operation::Embeddings => &target.embeddings,
        };
        let body = Bytes::from(body);
        let headers = self.headers_of(call, id, left)?;
        let build = || {
            let mut request = hyper::Request::new(Full::new(body.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            request
        };
        let transport = |error| self.transport(error);
        let (parts, reading) = self.connections.send(build).await.map_err(transport)?;
        let items = call.request.len();
        let attempts = header::number(&parts.headers, &header::ATTEMPTS).unwrap_or(1) as u32;
        let found = header::number(&parts.headers, &header::CACHED).unwrap_or(0);
        let cached = found as usize >= items;
        if body::is_streamed(&call.request) && is_event_stream(&parts) {
            let mut stream = Stream::new(submitted);
            reading.pieces(|data| stream.push(data)).await.map_err(transport)?;
            let (result, first) = stream.finish(cached);
            // A kept answer is replayed: that says nothing of a model.
            let first_token_ns = first.filter(|_| !cached).map(|time| time.as_nanos() as u64);
            let result = result.map(|generation| Answer::Generated(vec![generation]));
            return Ok(CallOutcome { result, attempts, first_token_ns });
        }
        let answer = reading.whole().await.map_err(transport)?;
        let result = result(operation, items, cached, &parts, &answer);
        Ok(CallOutcome { result, attempts, first_token_ns: None })
    }

    fn headers_of(&self, call: &Call, id: CallId, left: Duration) -> Result<HeaderMap, CallError> {
        let mut headers = self.headers.clone();
        let text = |text: String| {
            HeaderValue::try_from(text).map_err(|error| {
                CallError::new(ErrorClass::Rejected, format!("a header cannot be written: {error}"))
            })
        };
        let left_ns = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX);
        headers.insert(header::DEADLINE_MS, HeaderValue::from(told_ms(left_ns)));
        headers.insert(header::STAGE, HeaderValue::from(call.stage));
        headers.insert(header::TASK, HeaderValue::from(call.task));
        headers.insert(header::CACHE, HeaderValue::from_static(call.cache.as_str()));
        headers.insert(header::CALL, text(id.to_string())?);
        if call.lane != Lane::Normal {
            headers.insert(header::LANE, HeaderValue::from_static(call.lane.as_str()));
        }
        if !call.records.is_empty() {
            headers.insert(header::RECORD, text(header::write_records(&call.records))?);
        }
        Ok(headers)
    }

    fn transport(&self, error: TransportError) -> CallError {
        let gateway = &self.gateway;
        match error {
            TransportError::Connect(error) => CallError::new(
                ErrorClass::Unreachable,
                format!("no connection to the gateway at {gateway}: {error}"),
            ),
            TransportError::Broken(reason) => CallError::new(
                ErrorClass::Server,
                format!("the connection to the gateway at {gateway} broke: {reason}"),
            ),
            TransportError::TooLong => {
                CallError::new(ErrorClass::Protocol, "the answer is too long")
            }
        }
    }
}

/// Whether an answer began and did not come to its end. An answer of the gateway has a status.
fn broke_off(outcome: &CallOutcome) -> bool {
    outcome.result.as_ref().is_err_and(|error| {
        error.status.is_none() && matches!(error.class, ErrorClass::Server | ErrorClass::Protocol)
    })
}

fn is_event_stream(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    parts.status.is_success() && kind.starts_with(b"text/event-stream")
}

fn result(
    operation: Operation,
    items: usize,
    cached: bool,
    parts: &Parts,
    body: &[u8],
) -> Result<Answer, CallError> {
    let status = Some(parts.status.as_u16());
    if parts.status.is_success() {
        return body::decode(operation, items, cached, body).map_err(|message| CallError {
            class: ErrorClass::Protocol,
            status,
            message,
        });
    }
    let class = header::class(&parts.headers)
        .unwrap_or_else(|| problem::class_of_status(parts.status.as_u16()));
    let message = problem::message_of(body)
        .unwrap_or_else(|| format!("the server answered {} without a message", parts.status));
    Err(CallError { class, status, message })
}

/// `HOST:PORT` of an `http://` address, or of an `https://` one for who has certificates.
fn authority(address: &str, tls: bool) -> Result<String, ClientError> {
    let wrong =
        |reason: &str| ClientError::Address { address: address.into(), reason: reason.into() };
    let uri: Uri = address.parse().map_err(|_| wrong("it is not a URL"))?;
    match (uri.scheme_str(), tls) {
        (Some("http"), false) | (Some("https"), true) => {}
        (Some("https"), false) => return Err(wrong("it is https and there are no certificates")),
        (_, false) => return Err(wrong("it is not plain http")),
        (_, true) => return Err(wrong("it is not https")),
    }
    if !matches!(uri.path(), "" | "/") {
        return Err(wrong("it has a path"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    Ok(format!(
        "{}:{}",
        authority.host(),
        authority.port_u16().unwrap_or(if tls { 443 } else { 80 })
    ))
}
