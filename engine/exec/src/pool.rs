//! The pools: as many processes of a program as its stage allows, and lines that wait for one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use sage_core::endpoint::{
    Answer, Call, CallError, CallOutcome, Completion, Endpoint, ErrorClass, ExecCommand,
    Generation, Request,
};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::ExecError;
use crate::process::{Process, Trouble};

/// Between two starts of a program that ends at once, growing from the first to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));
/// Processes have this long to end when their input is closed.
const LEAVE: Duration = Duration::from_secs(2);

/// Answers calls of programs itself and passes all others on.
///
/// Its queue has no bound of its own: as many calls wait here as the worker has slots.
pub struct Programs {
    others: Arc<dyn Endpoint>,
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A call on its way.
struct Job {
    command: Arc<ExecCommand>,
    lines: Vec<String>,
    until: Instant,
    completion: Completion,
}

impl Programs {
    /// Pools that are empty yet; programs do not see the environment variables in `hidden`.
    pub fn new(others: Arc<dyn Endpoint>, hidden: Vec<String>) -> Result<Self, ExecError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ExecError::Start)?;
        let (jobs, inbox) = unbounded_channel();
        let (started, start) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("exec".into())
            .spawn(move || {
                let _ = started.send(());
                LocalSet::new().block_on(&runtime, serve(inbox, hidden.into()));
            })
            .map_err(ExecError::Start)?;
        start.recv().map_err(|_| ExecError::Start(io::Error::other("it ended at once")))?;
        Ok(Programs { others, jobs: Some(jobs), thread: Some(thread) })
    }
}

impl Endpoint for Programs {
    fn submit(&self, call: Call, completion: Completion) {
        let until = Instant::now() + Duration::from_nanos(call.timeout_ns);
        let Request::Exec { command, lines } = call.request else {
            self.others.submit(call, completion);
            return;
        };
        if let Some(jobs) = &self.jobs {
            // If the thread is gone the job is dropped, and that answers the call.
            drop(jobs.send(Job { command, lines, until, completion }));
        }
    }

    fn drain(&self) {
        self.others.drain();
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // The last owner may be a completion, which runs on the thread itself.
        if thread.thread().id() != thread::current().id() {
            drop(thread.join());
        }
    }
}

/// The processes of one program.
struct Pool {
    command: Arc<ExecCommand>,
    hidden: Rc<[String]>,
    free: Semaphore,
    idle: RefCell<Vec<Process>>,
    /// Ends in a row without an answer in between.
    ends: Cell<u32>,
}

async fn serve(mut inbox: UnboundedReceiver<Job>, hidden: Rc<[String]>) {
    let mut pools: HashMap<Arc<ExecCommand>, Rc<Pool>> = HashMap::new();
    let mut calls = JoinSet::new();
    while let Some(job) = inbox.recv().await {
        while calls.try_join_next().is_some() {}
        let pool = pools.entry(Arc::clone(&job.command)).or_insert_with(|| {
            Rc::new(Pool {
                command: Arc::clone(&job.command),
                hidden: Rc::clone(&hidden),
                free: Semaphore::new(job.command.processes.max(1)),
                idle: RefCell::default(),
                ends: Cell::new(0),
            })
        });
        calls.spawn_local(call(Rc::clone(pool), job));
    }
    // Dropped calls are answered as abandoned, and their processes end with them.
    drop(calls);
    let mut leaving = JoinSet::new();
    for pool in pools.into_values() {
        let idle = pool.idle.take();
        idle.into_iter().for_each(|process| drop(leaving.spawn_local(process.leave(LEAVE))));
    }
    while leaving.join_next().await.is_some() {}
}

async fn call(pool: Rc<Pool>, job: Job) {
    let Job { lines, until, completion, .. } = job;
    let mut answers = Vec::with_capacity(lines.len());
    let mut tries = 0;
    for line in &lines {
        match timeout_at(until, pool.answer(line, &mut tries)).await {
            Ok(Ok(text)) => answers.push(Generation { text, ..Generation::default() }),
            Ok(Err(error)) => return completion.complete(CallOutcome::failed(error, tries)),
            Err(_) => {
                let what = format!("no process of `{}` had time for it", pool.name());
                let error = CallError::new(ErrorClass::Timeout, what);
                return completion.complete(CallOutcome::failed(error, tries));
            }
        }
    }
    let result = Ok(Answer::Generated(answers));
    completion.complete(CallOutcome { result, attempts: tries, first_token_ns: None });
}

impl Pool {
    fn name(&self) -> String {
        self.command.words.join(" ")
    }

    /// The answer to a line. Dropped in the middle, it takes the process with it.
    async fn answer(&self, line: &str, tries: &mut u32) -> Result<String, CallError> {
        let failed = |class, why: &str| CallError::new(class, format!("`{}`: {why}", self.name()));
        let place = self.free.acquire().await;
        let _place = place.map_err(|_| failed(ErrorClass::Cancelled, "the run is ending"))?;
        let mut left = self.command.retries;
        loop {
            let idle = self.idle.borrow_mut().pop();
            let mut process = match idle {
                Some(process) => process,
                None => self.start().await.map_err(|error| {
                    *tries += 1;
                    failed(ErrorClass::Rejected, &format!("it cannot be started: {error}"))
                })?,
            };
            let silent = Duration::from_nanos(self.command.timeout_ns);
            let Ok(asked) = timeout(silent, process.ask(line)).await else {
                *tries += 1;
                if left == 0 {
                    let why = format!("it did not answer within {silent:?}");
                    return Err(failed(ErrorClass::Timeout, &why));
                }
                left -= 1;
                continue;
            };
            match asked {
                Ok(text) => {
                    *tries += 1;
                    self.ends.set(0);
                    self.idle.borrow_mut().push(process);
                    return Ok(text);
                }
                // The next one is started after a pause, so this ends when time is up.
                Err(Trouble::GoneBefore) => self.ends.set(self.ends.get() + 1),
                Err(Trouble::Broken(why)) => {
                    *tries += 1;
                    self.ends.set(self.ends.get() + 1);
                    if left == 0 {
                        return Err(failed(ErrorClass::Server, &why));
                    }
                    left -= 1;
                }
            }
        }
    }

    async fn start(&self) -> io::Result<Process> {
        if let Some(ends) = self.ends.get().checked_sub(1) {
            let (first, longest) = PAUSE;
            sleep(first.saturating_mul(1 << ends.min(16)).min(longest)).await;
        }
        Process::start(&self.command, &self.hidden)
    }
}
