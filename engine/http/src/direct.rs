//! Requests of sources and sinks: made one after the other, by the thread that needs the answer.
//!
//! A source without its next page and a sink that cannot deliver have nothing else to do, so they wait
//! for as long as their patience says; then the run ends and can go on later. A run that is to stop is
//! not kept waiting: what was not delivered is delivered by the next one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_pcg::Pcg32;
use reqwest::{Client, Url};
use sage_core::endpoint::CallError;
use sage_core::endpoint::ErrorClass;
use sage_core::retry::{Failure, RetryPolicy};
use sage_core::secrets::Mask;
use sage_core::web::{Asking, HttpCall, HttpMethod, Unanswered, Web, WebAnswer};
use tokio::runtime::Runtime;

use crate::allowed::{Allowed, address};
use crate::client::{Failed, client, dressed, once};
use crate::reading::{Reader, read};

/// Bounds of the wait before a further try.
const BACKOFF: (u64, u64) = (200_000_000, 10_000_000_000);
/// How long a request may still take when the run is to stop.
const STOPPING: Duration = Duration::from_secs(3);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(100);

/// To these hosts, with these secrets.
pub struct Direct {
    allowed: Allowed,
    /// Values of the environment variables that sources and sinks name.
    secrets: Arc<BTreeMap<String, String>>,
    stop: Arc<AtomicBool>,
}

impl Direct {
    /// `secrets` are the values of the variables that sources and sinks name; when `stop` is raised,
    /// nobody is waited for much longer.
    pub fn new(allowed: Allowed, secrets: BTreeMap<String, String>, stop: Arc<AtomicBool>) -> Self {
        Direct { allowed, secrets: Arc::new(secrets), stop }
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
        let client = client(&url, reads).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Box::new(Line {
            mask: Mask::new(self.secrets.values()),
            runtime: Arc::new(
                runtime.map_err(|error| format!("no thread for its requests: {error}"))?,
            ),
            stop: Arc::clone(&self.stop),
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
    runtime: Arc<Runtime>,
    stop: Arc<AtomicBool>,
    client: Client,
    call: Arc<HttpCall>,
    allowed: Allowed,
    secrets: Arc<BTreeMap<String, String>>,
    mask: Mask,
    random: Pcg32,
    /// Only who is asked by the program gets its header and token.
    first: Url,
}

impl Asking for Line {
    fn ask(
        &mut self,
        url: &str,
        body: Option<String>,
        identity: &str,
        patience: Duration,
    ) -> Result<WebAnswer, Unanswered> {
        let Line { runtime, stop, mask, .. } = self;
        let runtime = Arc::clone(runtime);
        let (stop, mask) = (Arc::clone(stop), mask.clone());
        let asked = runtime.block_on(async {
            tokio::select! {
                asked = self.tries(url, body, identity, patience) => asked,
                () = stopped(&stop) => {
                    let error = CallError::new(ErrorClass::Cancelled, "the run is ending");
                    Err(Unanswered { error, untaken: false })
                }
            }
        });
        asked.map_err(|Unanswered { error, untaken }| {
            let message = format!("`{url}`: {}", error.message);
            let message = mask.hide(&message).into_owned();
            Unanswered { error: CallError { message, ..error }, untaken }
        })
    }
}

impl Line {
    async fn tries(
        &mut self,
        url: &str,
        body: Option<String>,
        identity: &str,
        patience: Duration,
    ) -> Result<WebAnswer, Unanswered> {
        let Line { client, call, allowed, secrets, random, first, .. } = self;
        let rejected = |why: String| {
            let error = CallError::new(ErrorClass::Rejected, why);
            Unanswered { error, untaken: true }
        };
        let to = address(url).map_err(rejected)?;
        if !allowed.permits(&to) {
            let name = Allowed::name_of(&to);
            return Err(rejected(format!(
                "--allow-http does not name its host; add --allow-http {name}"
            )));
        }
        let until = Instant::now() + patience;
        let policy = RetryPolicy { max: u32::MAX, base_ns: BACKOFF.0, cap_ns: BACKOFF.1 };
        let (mut tries, mut untaken) = (0, true);
        loop {
            tries += 1;
            let answered = if let Some(body) = &body {
                let trusted = to.origin() == first.origin();
                let request = dressed(client.post(to.clone()), call, secrets, trusted);
                let request = request.map_err(|error| Unanswered { error, untaken })?;
                let request = request.header("idempotency-key", identity);
                let request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
                once(request.body(body.clone()), None).await
            } else {
                read(&Reader { client, allowed, call, secrets, first }, to.clone()).await
            };
            let Failed { error, again } = match answered {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            untaken &= is_untaken(&error);
            let left = until.saturating_duration_since(Instant::now());
            let failure = Failure { class: error.class, retry_after_ns: again.map(nanoseconds) };
            let delay = policy.next_delay(tries, failure, u64::MAX, random);
            // What is left of its patience ends with a last try.
            let in_time = !left.is_zero() && again.is_none_or(|again| again < left);
            let Some(delay) = delay.filter(|_| in_time) else {
                return Err(Unanswered { error: given_up(error, tries, again, patience), untaken });
            };
            tokio::time::sleep(Duration::from_nanos(delay).min(left)).await;
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether a try that failed so cannot have been done all the same. A conflict may be one with itself.
fn is_untaken(error: &CallError) -> bool {
    let refused = matches!(
        error.class,
        ErrorClass::Rejected | ErrorClass::Throttled | ErrorClass::Unreachable
    );
    refused && error.status != Some(409)
}

/// Until the run is to stop and has waited for long enough.
async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(STOPPING).await;
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
