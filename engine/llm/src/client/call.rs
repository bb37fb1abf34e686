//! One call: request, answer, and every way in which there is none.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, Uri};
use sage_core::endpoint::{Answer, Call, CallError, CallOutcome, ErrorClass};

use super::body::{self, Operation};
use super::connection::{Connections, TransportError};
use super::{ClientConfig, ClientError};
use crate::gateway::header;
use crate::gateway::problem;

/// What the gateway gets less than the caller has: its answer that the time is up says more than
/// the client's own, so it should arrive first.
const HOP_MARGIN: Duration = Duration::from_millis(50);

/// Makes calls; everything that does not change from call to call is prepared here.
pub(super) struct Caller {
    connections: Connections,
    gateway: String,
    headers: HeaderMap,
    targets: Vec<Target>,
}

struct Target {
    model: String,
    chat: Uri,
    completions: Uri,
    embeddings: Uri,
}

impl Caller {
    pub(super) fn new(config: &ClientConfig) -> Result<Caller, ClientError> {
        let authority = authority(&config.gateway)?;
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
            connections: Connections::new(authority, config.max_in_flight.max(1)),
            headers,
        })
    }

    /// The outcome of `call`, within its time counted from `submitted`.
    pub(super) async fn run(&self, call: Call, submitted: Instant) -> CallOutcome {
        let failed = |error| CallOutcome::failed(error, 0);
        let limit = Duration::from_nanos(call.timeout_ns);
        let left = limit.saturating_sub(submitted.elapsed());
        match tokio::time::timeout(left, self.exchange(&call, left)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => failed(error),
            Err(_) => failed(CallError::new(
                ErrorClass::Timeout,
                format!("no answer from {} within {:.1} s", self.gateway, limit.as_secs_f64()),
            )),
        }
    }

    async fn exchange(&self, call: &Call, left: Duration) -> Result<CallOutcome, CallError> {
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
        let deadline_ms = left.saturating_sub(HOP_MARGIN.min(left / 10)).as_millis() as u64;
        let build = || {
            let mut request = hyper::Request::new(Full::new(body.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri.clone();
            let headers = request.headers_mut();
            *headers = self.headers.clone();
            headers.insert(header::DEADLINE_MS, HeaderValue::from(deadline_ms.max(1)));
            headers.insert(header::STAGE, HeaderValue::from(call.stage));
            headers.insert(header::TASK, HeaderValue::from(call.task));
            request
        };
        let (parts, answer) =
            self.connections.send(build).await.map_err(|error| self.transport(error))?;
        Ok(outcome(operation, call.request.len(), &parts, &answer))
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

fn outcome(operation: Operation, items: usize, parts: &Parts, body: &[u8]) -> CallOutcome {
    let attempts = header::number(&parts.headers, &header::ATTEMPTS).unwrap_or(1) as u32;
    CallOutcome { result: result(operation, items, parts, body), attempts, first_token_ns: None }
}

fn result(
    operation: Operation,
    items: usize,
    parts: &Parts,
    body: &[u8],
) -> Result<Answer, CallError> {
    let status = Some(parts.status.as_u16());
    if parts.status.is_success() {
        return body::decode(operation, items, body).map_err(|message| CallError {
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

/// `HOST:PORT` of an `http://` address.
fn authority(address: &str) -> Result<String, ClientError> {
    let wrong =
        |reason: &str| ClientError::Address { address: address.into(), reason: reason.into() };
    let uri: Uri = address.parse().map_err(|_| wrong("it is not a URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("it is not plain http"));
    }
    if !matches!(uri.path(), "" | "/") {
        return Err(wrong("it has a path"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    Ok(format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80)))
}
