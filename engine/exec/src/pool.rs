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
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::guard::Guard;
use crate::process::{Process, Trouble, in_a_line};
use crate::starts::{MOST_STARTS, Starts, Verdict};
use crate::{ExecError, Notice, Surroundings};

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
    /// Pools that are empty yet.
    pub fn new(others: Arc<dyn Endpoint>, around: Surroundings) -> Result<Self, ExecError> {
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
                LocalSet::new().block_on(&runtime, serve(inbox, around));
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
    guard: Rc<RefCell<Guard>>,
    notify: Arc<dyn Fn(Notice) + Send + Sync>,
    free: Semaphore,
    idle: RefCell<Vec<Process>>,
    starts: RefCell<Starts>,
    last_trouble: RefCell<String>,
    /// Whether it has printed what it was not asked for.
    unasked: Cell<bool>,
}

async fn serve(mut inbox: UnboundedReceiver<Job>, around: Surroundings) {
    let Surroundings { hidden, guard, notify } = around;
    let hidden: Rc<[String]> = hidden.into();
    let guard = Rc::new(RefCell::new(Guard::new(guard)));
    let mut pools: HashMap<Arc<ExecCommand>, Rc<Pool>> = HashMap::new();
    let mut calls = JoinSet::new();
    while let Some(job) = inbox.recv().await {
        while calls.try_join_next().is_some() {}
        let pool = pools.entry(Arc::clone(&job.command)).or_insert_with(|| {
            Rc::new(Pool {
                command: Arc::clone(&job.command),
                hidden: Rc::clone(&hidden),
                guard: Rc::clone(&guard),
                notify: Arc::clone(&notify),
                free: Semaphore::new(job.command.processes.max(1)),
                idle: RefCell::default(),
                starts: RefCell::default(),
                last_trouble: RefCell::default(),
                unasked: Cell::default(),
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

    fn failed(&self, class: ErrorClass, why: &str) -> CallError {
        CallError::new(class, format!("`{}`: {why}", self.name()))
    }

    /// The right to have a process. Whoever asks again is behind all who wait.
    async fn place(&self) -> Result<SemaphorePermit<'_>, CallError> {
        let place = self.free.acquire().await;
        place.map_err(|_| self.failed(ErrorClass::Cancelled, "the run is ending"))
    }

    /// The answer to a line. Dropped in the middle, it takes the process with it.
    async fn answer(&self, line: &str, tries: &mut u32) -> Result<String, CallError> {
        let mut place = self.place().await?;
        let mut left = self.command.retries;
        // Not said before it is known whether the program can answer at all.
        let mut failure = None;
        loop {
            if self.starts.borrow().is_hopeless() {
                let why =
                    format!("no process of it has ever answered: {}", self.last_trouble.borrow());
                return Err(self.failed(ErrorClass::Cancelled, &why));
            }
            if let Some(error) = failure.take_if(|_| self.starts.borrow().is_proven()) {
                return Err(error);
            }
            let idle = self.idle.borrow_mut().pop();
            let mut process = match idle {
                Some(process) => process,
                None => self.start().await.map_err(|error| {
                    *tries += 1;
                    self.failed(ErrorClass::Rejected, &format!("it cannot be started: {error}"))
                })?,
            };
            let silent = Duration::from_nanos(self.command.timeout_ns);
            let Ok(asked) = timeout(silent, process.ask(line)).await else {
                *tries += 1;
                if left == 0 {
                    let why = format!("it did not answer within {silent:?}");
                    return Err(self.failed(ErrorClass::Timeout, &why));
                }
                left -= 1;
                continue;
            };
            let why = match asked {
                Ok(text) => {
                    *tries += 1;
                    self.starts.borrow_mut().answered();
                    self.idle.borrow_mut().push(process);
                    return Ok(text);
                }
                // The next one is started after a pause, so this ends when time is up.
                Err(Trouble::GoneBefore(why)) => why,
                Err(trouble @ (Trouble::Broken(_) | Trouble::Unasked(_))) => {
                    let unasked = matches!(trouble, Trouble::Unasked(_));
                    let (Trouble::Broken(why) | Trouble::Unasked(why) | Trouble::GoneBefore(why)) =
                        trouble;
                    if unasked && !self.unasked.replace(true) {
                        self.warn_of_unasked(&why);
                    }
                    *tries += 1;
                    match left.checked_sub(1) {
                        Some(less) => left = less,
                        None => failure = Some(self.failed(ErrorClass::Server, &why)),
                    }
                    why
                }
            };
            drop(process);
            self.judge(&why);
            if failure.is_some() {
                // Perhaps the program fails at this line alone: others are first.
                drop(place);
                place = self.place().await?;
            }
        }
    }

    /// That costs a start each time, and nothing else tells of it.
    fn warn_of_unasked(&self, why: &str) {
        (self.notify)(Notice::Warning(format!(
            "`{}`: {}; it is ended and started again each time it does so, which takes time",
            self.name(),
            in_a_line(why)
        )));
    }

    /// A process ended without an answer: what that means for the program.
    fn judge(&self, why: &str) {
        let verdict = self.starts.borrow_mut().failed();
        why.clone_into(&mut self.last_trouble.borrow_mut());
        let (name, why) = (self.name(), in_a_line(why));
        let proven = self.starts.borrow().is_proven();
        match verdict {
            Verdict::GoOn => {}
            Verdict::Warn if proven => (self.notify)(Notice::Warning(format!(
                "`{name}` failed several times in a row; the pauses before it is started again \
                 grow: {why}"
            ))),
            Verdict::Warn => (self.notify)(Notice::Warning(format!(
                "`{name}` has not answered yet, and is started again, {MOST_STARTS} times at most: \
                 {why}"
            ))),
            Verdict::Hopeless => (self.notify)(Notice::Hopeless(format!(
                "`{name}` was started {MOST_STARTS} times and has never answered: {why}. Its records \
                 stay pending; mend it and give the same command again with --out"
            ))),
        }
    }

    async fn start(&self) -> io::Result<Process> {
        let pause = self.starts.borrow().pause();
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Process::start(&self.command, &self.hidden, &self.guard)
    }
}
