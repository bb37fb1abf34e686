//! The requests of one stage: how many at once, how often again, and what is sent.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_pcg::Pcg32;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, Url};
use sage_core::endpoint::{Answer, CallError, CallOutcome, ErrorClass, Generation};
use sage_core::retry::{Disposition, Failure, RetryBudget, RetryPolicy};
use sage_core::web::{HttpCall, HttpMethod, WebAnswer};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Job, Shared};
use crate::allowed::address;
use crate::client::{Failed, client, dressed, once};
use crate::reading::{Reader, read};

/// Bounds of the wait before a further try.
const BACKOFF: (u64, u64) = (200_000_000, 10_000_000_000);

/// See the module.
pub(super) struct Pool {
    call: Arc<HttpCall>,
    shared: Rc<Shared>,
    /// What could not be made is the answer to every call.
    target: Result<(Client, Url), String>,
    free: Semaphore,
    budget: RefCell<RetryBudget>,
    random: RefCell<Pcg32>,
    began: Instant,
}

impl Pool {
    pub(super) fn new(call: Arc<HttpCall>, shared: Rc<Shared>) -> Self {
        let target = address(&call.url).and_then(|url| {
            if !shared.allowed.permits(&url) {
                return Err("--allow-http does not name its host".to_owned());
            }
            let client = client(&url, call.method == HttpMethod::Get);
            client.map(|client| (client, url)).map_err(|error| error.to_string())
        });
        let at_once = call.concurrency.max(1);
        Pool {
            free: Semaphore::new(at_once),
            budget: RefCell::new(RetryBudget::of_share(RetryBudget::SHARE, at_once as f64)),
            // It spreads the tries of one process; of several, their starts do.
            random: RefCell::new(Pcg32::seed_from_u64(u64::from(std::process::id()))),
            began: Instant::now(),
            call,
            shared,
            target,
        }
    }

    /// Answer a call.
    pub(super) async fn call(self: Rc<Self>, job: Job) {
        let mut answers = Vec::with_capacity(job.bodies.len());
        let mut tries = 0;
        for body in &job.bodies {
            match timeout_at(job.until, self.answer(body, &job, &mut tries)).await {
                Ok(Ok(text)) => answers.push(Generation { text, ..Generation::default() }),
                Ok(Err(error)) => {
                    let message = format!("{}: {}", self.call.url, error.message);
                    let message = self.shared.mask.hide(&message).into_owned();
                    let error = CallError { message, ..error };
                    return job.completion.complete(CallOutcome::failed(error, tries));
                }
                Err(_) => {
                    let what = format!("{}: the time of the stage was up", self.call.url);
                    let error = CallError::new(ErrorClass::Timeout, what);
                    return job.completion.complete(CallOutcome::failed(error, tries));
                }
            }
        }
        let result = Ok(Answer::Generated(answers));
        job.completion.complete(CallOutcome { result, attempts: tries, first_token_ns: None });
    }

    async fn answer(&self, body: &str, job: &Job, tries: &mut u32) -> Result<String, CallError> {
        let of_class = |class, why: &str| CallError::new(class, why);
        let (client, url) =
            self.target.as_ref().map_err(|why| of_class(ErrorClass::Rejected, why))?;
        let place = if let Ok(place) = self.free.try_acquire() {
            place
        } else {
            // There may be waits before this one, each as long as a server asks for.
            tokio::select! {
                place = self.free.acquire() => place.map_err(|_| ending())?,
                () = self.drained() => return Err(ending()),
            }
        };
        let _place = place;
        self.budget.borrow_mut().on_call();
        let (base_ns, cap_ns) = BACKOFF;
        let policy = RetryPolicy { max: self.call.retries, base_ns, cap_ns };
        let mut attempt = 0;
        loop {
            *tries += 1;
            attempt += 1;
            let answered = if self.call.method == HttpMethod::Get {
                self.read(client, url, body).await
            } else {
                let request = self.request(client, url, body, &job.identity)?;
                once(request, Some(self.call.max_answer)).await
            };
            let Failed { error, again } = match answered {
                Ok(answer) => return Ok(answer.body),
                Err(failed) => failed,
            };
            if let Some(again) = again.filter(|again| *again > self.most_wait()) {
                return Err(too_long(error, again));
            }
            let left = job.until.saturating_duration_since(Instant::now()).as_nanos() as u64;
            let retry_after_ns = again.map(|again| again.as_nanos() as u64);
            let failure = Failure { class: error.class, retry_after_ns };
            let delay = policy.next_delay(attempt, failure, left, &mut *self.random.borrow_mut());
            let Some(mut delay) = delay else { return Err(error) };
            if Disposition::of(error.class, error.status) == Disposition::Retry {
                let now_ns = self.began.elapsed().as_nanos() as u64;
                let put_off = self.budget.borrow_mut().reserve(now_ns, left - delay);
                let Some(put_off) = put_off else { return Err(error) };
                delay = delay.max(put_off);
            }
            tokio::select! {
                () = sleep(Duration::from_nanos(delay)) => {}
                () = self.drained() => return Err(ending()),
            }
        }
    }

    /// Longest wait that a server is granted: the time that a try has, too.
    fn most_wait(&self) -> Duration {
        Duration::from_nanos(self.call.timeout_ns)
    }

    /// Until the run is to stop.
    async fn drained(&self) {
        let mut draining = self.shared.draining.clone();
        if draining.wait_for(|draining| *draining).await.is_err() {
            // Nobody is left who could say so.
            std::future::pending::<()>().await;
        }
    }

    async fn read(&self, client: &Client, url: &Url, body: &str) -> Result<WebAnswer, Failed> {
        let mut to = url.clone();
        query(&mut to, body).map_err(|why| Failed::new(ErrorClass::Rejected, why))?;
        let Shared { allowed, secrets, .. } = &*self.shared;
        read(&Reader { client, allowed, call: &self.call, secrets, first: url }, to).await
    }

    fn request(
        &self,
        client: &Client,
        url: &Url,
        body: &str,
        identity: &str,
    ) -> Result<RequestBuilder, CallError> {
        let method = match self.call.method {
            HttpMethod::Get => Method::GET,
            HttpMethod::Post => Method::POST,
            HttpMethod::Put => Method::PUT,
            HttpMethod::Patch => Method::PATCH,
            HttpMethod::Delete => Method::DELETE,
        };
        let request = client.request(method, url.clone());
        let request = dressed(request, &self.call, &self.shared.secrets, true)?;
        // A server that knows the word does not do the same a second time.
        let request = request.header("idempotency-key", identity);
        Ok(request.header(CONTENT_TYPE, "application/json").body(body.to_owned()))
    }
}

fn too_long(error: CallError, again: Duration) -> CallError {
    let message = format!(
        "{}; it asks to wait {:.0} s, longer than the `timeout` of the stage",
        error.message,
        again.as_secs_f64().ceil()
    );
    CallError { message, ..error }
}

fn ending() -> CallError {
    CallError::new(ErrorClass::Cancelled, "the run is ending")
}

/// Put the fields of a JSON object into the query of an address; `null` is left out.
fn query(url: &mut Url, body: &str) -> Result<(), String> {
    match serde_json::from_str(body) {
        Ok(Value::Null) => Ok(()),
        Ok(Value::Object(fields)) => {
            let given = fields.iter().filter(|(_, value)| !value.is_null());
            let pairs = given.map(|(name, value)| match value {
                Value::String(text) => (name, text.clone()),
                other => (name, other.to_string()),
            });
            url.query_pairs_mut().extend_pairs(pairs);
            Ok(())
        }
        _ => Err("a `get` sends the fields of a record in its address, so it needs one".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_the_query_and_change_nothing_else_of_the_address() {
        let made = |body: &str| {
            let mut url = Url::parse("http://h:1/p?a=1").unwrap();
            query(&mut url, body).map(|()| url.to_string())
        };
        let text = r#"{"q":"x&y=#/?","n":3,"none":null,"list":[1,"b"]}"#;
        assert_eq!(
            made(text).unwrap(),
            "http://h:1/p?a=1&q=x%26y%3D%23%2F%3F&n=3&list=%5B1%2C%22b%22%5D"
        );
        assert_eq!(made("null").unwrap(), "http://h:1/p?a=1");
        assert!(made("[1]").is_err() && made("\"x\"").is_err());
    }
}
