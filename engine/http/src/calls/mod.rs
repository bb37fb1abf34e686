//! Calls of `http` stages: a request for each record, to hosts that are allowed.
//!
//! An endpoint like any other to the dataflow, so waiting, deadlines and failures are those of a
//! call. Requests of a stage on one worker share a bound of how many are made at once, and a budget
//! of retries, so a server that fails is never hit with a multiple of its normal load.

mod pool;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use sage_core::endpoint::{Call, Completion, Endpoint, Request};
use sage_core::secrets::Mask;
use sage_core::web::HttpCall;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use self::pool::Pool;
use crate::HttpError;
use crate::allowed::Allowed;

/// Makes the calls of `http` stages itself and passes all others on.
///
/// Its queue has no bound of its own: as many calls wait here as the worker has slots.
pub struct Calls {
    others: Arc<dyn Endpoint>,
    jobs: Option<UnboundedSender<Job>>,
    draining: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A call on its way.
struct Job {
    call: Arc<HttpCall>,
    bodies: Vec<String>,
    /// The same for each try of a call, and for no other call.
    identity: String,
    until: Instant,
    completion: Completion,
}

/// What all pools know.
struct Shared {
    allowed: Allowed,
    /// Values of the environment variables that stages name.
    secrets: BTreeMap<String, String>,
    /// Of these values.
    mask: Mask,
    /// Nobody is to wait any more.
    draining: watch::Receiver<bool>,
}

impl Calls {
    /// To these hosts; `secrets` are the values of the variables that stages name.
    pub fn new(
        others: Arc<dyn Endpoint>,
        allowed: Allowed,
        secrets: BTreeMap<String, String>,
    ) -> Result<Self, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(HttpError::Start)?;
        let (jobs, inbox) = unbounded_channel();
        let (started, start) = mpsc::channel();
        let (draining, drained) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("http".into())
            .spawn(move || {
                let _ = started.send(());
                let mask = Mask::new(secrets.values());
                let shared = Rc::new(Shared { allowed, secrets, mask, draining: drained });
                LocalSet::new().block_on(&runtime, serve(inbox, shared));
            })
            .map_err(HttpError::Start)?;
        let gone = |_| HttpError::Start(std::io::Error::other("it ended at once"));
        start.recv().map_err(gone)?;
        Ok(Calls { others, jobs: Some(jobs), draining, thread: Some(thread) })
    }
}

impl Endpoint for Calls {
    fn submit(&self, call: Call, completion: Completion) {
        let until = Instant::now() + Duration::from_nanos(call.timeout_ns);
        let record = call.records.first().copied().unwrap_or(call.task);
        let identity = format!("{record:016x}-{}", call.stage);
        let Request::Http { call, bodies } = call.request else {
            self.others.submit(call, completion);
            return;
        };
        if let Some(jobs) = &self.jobs {
            // If the thread is gone the job is dropped, and that answers the call.
            drop(jobs.send(Job { call, bodies, identity, until, completion }));
        }
    }

    fn drain(&self) {
        self.draining.send_replace(true);
        self.others.drain();
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // The last owner may be a completion, which runs on the thread itself.
        if thread.thread().id() != thread::current().id() {
            drop(thread.join());
        }
    }
}

async fn serve(mut inbox: UnboundedReceiver<Job>, shared: Rc<Shared>) {
    let mut pools: HashMap<Arc<HttpCall>, Rc<Pool>> = HashMap::new();
    let mut calls = JoinSet::new();
    while let Some(job) = inbox.recv().await {
        while calls.try_join_next().is_some() {}
        let pool = pools
            .entry(Arc::clone(&job.call))
            .or_insert_with(|| Rc::new(Pool::new(Arc::clone(&job.call), Rc::clone(&shared))));
        calls.spawn_local(Rc::clone(pool).call(job));
    }
    // Dropped calls are answered as abandoned.
    drop(calls);
}
