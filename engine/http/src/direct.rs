//! Requests of sources and sinks: made one after the other, by the thread that needs the answer.
//!
//! A source without its next page and a sink that cannot deliver have nothing else to do, so they wait
//! for as long as their patience says; then the run ends and can go on later.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_pcg::Pcg32;
use reqwest::{Client, Method, Url};
use sage_core::endpoint::CallError;
use sage_core::endpoint::ErrorClass;
use sage_core::retry::{Failure, RetryPolicy};
use sage_core::secrets::Mask;
use sage_core::web::{Asking, HttpCall, HttpMethod, Web, WebAnswer};
use tokio::runtime::Runtime;

use crate::allowed::{Allowed, address};
use crate::client::{Failed, client, dressed, once};

/// Bounds of the wait before a further try.
const BACKOFF: (u64, u64) = (200_000_000, 10_000_000_000);

/// To these hosts, with these secrets.
pub struct Direct {
    allowed: Allowed,
    /// Values of the environment variables that sources and sinks name.
    secrets: Arc<BTreeMap<String, String>>,
}

impl Direct {
    /// `secrets` are the values of the variables that sources and sinks name.
    pub fn new(allowed: Allowed, secrets: BTreeMap<String, String>) -> Self {
        Direct { allowed, secrets: Arc::new(secrets) }
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Web for Direct {
    fn open(&self, call: Arc<HttpCall>) -> Result<Box<dyn Asking>, String> {
        let url = address(&call.url)?;
        let reads = call.method == HttpMethod::Get;
        let client = client(&url, &self.allowed, reads).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Box::new(Line {
            mask: Mask::new(self.secrets.values()),
            runtime: runtime.map_err(|error| format!("no thread for its requests: {error}"))?,
            allowed: self.allowed.clone(),
            secrets: Arc::clone(&self.secrets),
            // It spreads the tries of one process; of several, their starts do.
            random: Pcg32::seed_from_u64(u64::from(std::process::id())),
            first: url,
            client,
            call,
        }))
    }
}

/// Requests of one source or sink.
struct Line {
    runtime: Runtime,
    client: Client,
    call: Arc<HttpCall>,
    allowed: Allowed,
    secrets: Arc<BTreeMap<String, String>>,
    mask: Mask,
    random: Pcg32,
    /// Only who is asked by the program gets its token.
    first: Url,
}

impl Asking for Line {
    fn ask(
        &mut self,
        url: &str,
        body: Option<String>,
        identity: &str,
        patience: Duration,
    ) -> Result<WebAnswer, CallError> {
        let Line { runtime, client, call, allowed, secrets, mask, random, first } = self;
        let named = |error: CallError| {
            let message = format!("`{url}`: {}", error.message);
            CallError { message: mask.hide(&message).into_owned(), ..error }
        };
        let rejected = |why: String| named(CallError::new(ErrorClass::Rejected, why));
        let to = address(url).map_err(rejected)?;
        if !allowed.permits(&to) {
            let name = Allowed::name_of(&to);
            return Err(rejected(format!(
                "--allow-http does not name its host; add --allow-http {name}"
            )));
        }
        let trusted = to.origin() == first.origin();
        let until = Instant::now() + patience;
        let policy = RetryPolicy { max: u32::MAX, base_ns: BACKOFF.0, cap_ns: BACKOFF.1 };
        let mut tries = 0;
        loop {
            tries += 1;
            let method = if body.is_some() { Method::POST } else { Method::GET };
            let request = client.request(method, to.clone());
            let mut request = dressed(request, call, secrets, trusted).map_err(named)?;
            if let Some(body) = &body {
                request = request.header("idempotency-key", identity);
                request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
                request = request.body(body.clone());
            }
            let wants = body.is_none().then_some(call.max_answer);
            let Failed { error, again } = match runtime.block_on(once(request, wants)) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let left = until.saturating_duration_since(Instant::now()).as_nanos() as u64;
            let retry_after_ns = again.map(|again| again.as_nanos() as u64);
            let failure = Failure { class: error.class, retry_after_ns };
            let Some(delay) = policy.next_delay(tries, failure, left, random) else {
                return Err(named(given_up(error, tries, again, patience)));
            };
            std::thread::sleep(Duration::from_nanos(delay));
        }
    }
}

fn given_up(
    error: CallError,
    tries: u32,
    again: Option<Duration>,
    patience: Duration,
) -> CallError {
    let seconds = patience.as_secs_f64();
    let asked = again.map(|again| format!(", it asks to wait {:.0} s", again.as_secs_f64().ceil()));
    let message = if sage_core::retry::retryable(error.class) {
        let asked = asked.unwrap_or_default();
        format!("{} ({tries} tries{asked}; `patience` is {seconds} s)", error.message)
    } else {
        error.message
    };
    CallError { message, ..error }
}
