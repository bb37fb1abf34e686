//! The workers' side of the gateway: a [`Endpoint`] over HTTP.
//!
//! ```text
//!  operator thread(s)          the client's one thread (tokio, current_thread)
//!  submit(call, completion) -> channel -> task per call -> kept-alive connection -> gateway
//!                                              '-> completion(outcome)
//! ```
//!
//! One thread for any number of calls in flight: a call is almost all waiting, and a worker process
//! has better use for its cores. The thread is the client's own, so that the dataflow knows no
//! runtime.
//!
//! The client speaks hyper without a client library on top: it has exactly one peer, needs neither
//! proxies nor redirects, and must know whether a connection was a reused one (see
//! `connection`). A worker pays for no root certificates this way: with TLS it believes the run's own
//! authority and no other.
//!
//! **It does not retry.** The gateway is the one owner of retries; two owners multiply. Only a
//! question that has not reached the gateway, or whose answer was lost between the two, is put again.
//!
//! **It says when it gives a call up** (its time is over, or the run ends), because the gateway keeps
//! the calls of a worker going that has gone without a word: that one has crashed, and what its
//! calls cost would be lost. [`Client::leave`] goes without a word on purpose.
//!
//! **The channel has no bound of its own** because its callers have: an operator submits no more
//! than it has slots for (`max_in_flight`), and a bounded channel would have to block or fail in
//! `submit`, which may do neither.

pub(crate) mod body;
mod call;
mod connection;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod stream;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sage_core::endpoint::{
    Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass, Request,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use call::Caller;

/// Longest wait for the thread when a client is dropped. Only a completion that blocks takes longer
/// than an instant.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Where and as whom a client calls.
#[derive(Clone)]
pub struct ClientConfig {
    /// `http://HOST:PORT` of the gateway, or `https://` with `tls`.
    pub gateway: String,
    /// How the gateway is to be believed, and what it is shown; for `https://` and only for that.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Bearer token of the run; empty sends none.
    pub token: String,
    /// Name of the job, for the gateway's accounts.
    pub job: String,
    /// Number of this worker, for the gateway's accounts.
    pub worker: u32,
    /// The plan's endpoints, in plan order.
    pub endpoints: Vec<EndpointTarget>,
    /// Calls its users have in flight at most; as many connections are kept alive.
    pub max_in_flight: usize,
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("gateway", &self.gateway)
            .field("tls", &self.tls.is_some())
            .field("token", &if self.token.is_empty() { "none" } else { "(redacted)" })
            .field("job", &self.job)
            .field("worker", &self.worker)
            .field("endpoints", &self.endpoints)
            .field("max_in_flight", &self.max_in_flight)
            .finish()
    }
}

/// One endpoint of the plan, as the gateway knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTarget {
    /// The name it has in the plan and at the gateway.
    pub name: String,
    /// Model sent with each call.
    pub model: String,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway's address cannot be used.
    #[error(
        "gateway address `{address}`: {reason}; expected http://HOST:PORT, or https:// with the certificates of a run"
    )]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name or the token cannot stand in a header or a path.
    #[error("{what} has a character that HTTP does not allow here")]
    Text {
        /// Which one; never its value, it may be a secret.
        what: &'static str,
    },
    /// The thread or its runtime did not start.
    #[error("the client's thread did not start")]
    Start(#[source] std::io::Error),
}

/// A connection to the gateway; see the module.
///
/// Dropping it ends all calls in flight: each is answered with [`ErrorClass::Cancelled`].
pub struct Client {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Disconnects when the thread is at its end.
    ended: Mutex<mpsc::Receiver<()>>,
    /// Calls in flight are not given up with the client.
    leaving: Arc<AtomicBool>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Start the client's thread. Connects to nothing yet.
    pub fn new(config: ClientConfig) -> Result<Client, ClientError> {
        Self::patient(config, Duration::ZERO)
    }

    /// The same, for a process that ends with its gateway: a call that finds no gateway, or whose
    /// connection to it breaks, asks again for so long. A link that was down for a moment costs no
    /// record then; and who learns of the gateway's end by another way has that time to end as well,
    /// and does not take the call for one that failed.
    pub fn patient(config: ClientConfig, patience: Duration) -> Result<Client, ClientError> {
        let caller = Caller::new(&config, patience)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ClientError::Start)?;
        let (jobs, inbox) = unbounded_channel();
        let (end, ended) = mpsc::channel();
        let leaving = Arc::new(AtomicBool::new(false));
        let left = leaving.clone();
        let thread = thread::Builder::new()
            .name("llm-client".into())
            .spawn(move || {
                runtime.block_on(serve(caller, inbox, &left));
                // Drops the tasks in flight, which answers their calls, and does not wait for a
                // name lookup that hangs.
                runtime.shutdown_background();
                drop(end);
            })
            .map_err(ClientError::Start)?;
        Ok(Client { jobs: Some(jobs), thread: Some(thread), ended: Mutex::new(ended), leaving })
    }

    /// From now on, dropping it leaves the calls in flight to the gateway: they run on into its
    /// journal, where whoever asks again finds them. Here they still end as cancelled.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }
}

impl Endpoint for Client {
    fn submit(&self, call: Call, completion: Completion) {
        if matches!(call.request, Request::Exec { .. } | Request::Http { .. }) {
            let what = "a gateway runs no programs and makes no requests to other servers";
            let error = CallError::new(ErrorClass::Rejected, what);
            completion.complete(CallOutcome::failed(error, 0));
            return;
        }
        let job = Job { call, submitted: Instant::now(), duty: Duty(Some(completion)) };
        if let Some(jobs) = &self.jobs {
            // A send fails only when the thread is gone; the job comes back in the error and its
            // drop answers.
            drop(jobs.send(job));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // The last owner may be a completion, which runs on the thread itself.
        if thread.thread().id() == thread::current().id() {
            return;
        }
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(mpsc::RecvTimeoutError::Disconnected) = ended.recv_timeout(JOIN_TIMEOUT) {
            // A panic in the thread has answered the calls already.
            drop(thread.join());
        }
    }
}

/// A call on its way to the client's thread.
struct Job {
    call: Call,
    submitted: Instant,
    duty: Duty,
}

/// The duty to answer, which a dropped task or queue fulfils with `Cancelled`.
struct Duty(Option<Completion>);

impl Duty {
    fn fulfil(mut self, outcome: CallOutcome) {
        if let Some(completion) = self.0.take() {
            completion.complete(outcome);
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if thread::panicking() {
            return; // A bug, not an ending run: the completion says `Abandoned` itself.
        }
        if let Some(completion) = self.0.take() {
            let error = CallError::new(ErrorClass::Cancelled, "the run is ending");
            completion.complete(CallOutcome::failed(error, 0));
        }
    }
}

async fn serve(caller: Caller, mut inbox: UnboundedReceiver<Job>, leaving: &AtomicBool) {
    let caller = Arc::new(caller);
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            job = inbox.recv() => {
                let Some(Job { call, submitted, duty }) = job else { break };
                let caller = caller.clone();
                calls.spawn(async move {
                    let outcome = caller.run(call, submitted).await;
                    duty.fulfil(outcome);
                });
            }
            Some(_) = calls.join_next() => {}
        }
    }
    let in_flight = !calls.is_empty();
    // Answers them all.
    calls.shutdown().await;
    if in_flight && !leaving.load(Ordering::Relaxed) {
        caller.give_up_all().await;
    }
}
