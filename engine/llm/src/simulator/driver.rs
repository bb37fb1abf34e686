//! The task that owns an engine: it takes requests, steps, sleeps until the step's end, delivers.
//!
//! It sleeps only while a step runs and otherwise waits for a request, so an idle server causes no
//! wake-up at all. It also reads its inbox only between steps, as a real scheduler does; requests
//! carry the virtual time of their arrival, so nothing is lost by that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sage_core::vllm::{Admission, EmbedEngine, Emission, Engine, Finish, Request, Stats};
use tokio::sync::{mpsc, watch};

use super::call::{Departed, Outcome, Reply, Ticket};
use super::clock::Clock;
use super::metrics::{Ask, Ledger};
use super::problem::Problem;

/// Requests that wait for the driver; beyond, handlers wait.
const INBOX: usize = 4096;

/// A step as the driver needs it.
pub(super) struct Tick {
    starts_at_ns: u64,
    ends_at_ns: u64,
    /// Requests that begin to run.
    admitted: Vec<Admission>,
    emitted: Vec<Emission>,
    /// Tokens computed.
    tokens: u32,
}

/// An engine of either kind.
pub(super) trait Model: Send + 'static {
    type Job: Send;
    /// Prompt tokens and most tokens of the answer.
    fn size(job: &Self::Job) -> (u32, u32);
    fn submit(&mut self, id: u64, job: Self::Job, now: u64) -> Result<(), String>;
    fn cancel(&mut self, id: u64);
    fn step(&mut self, now: u64) -> Option<Tick>;
    fn stats(&self) -> Stats;
}

impl Model for Engine {
    type Job = Request;

    fn size(job: &Request) -> (u32, u32) {
        (job.prompt_tokens, job.max_tokens)
    }

    fn submit(&mut self, id: u64, job: Request, now: u64) -> Result<(), String> {
        Engine::submit(self, Request { id, ..job }, now).map_err(|error| error.to_string())
    }

    fn cancel(&mut self, id: u64) {
        Engine::cancel(self, id);
    }

    fn step(&mut self, now: u64) -> Option<Tick> {
        let step = Engine::step(self, now)?;
        Some(Tick {
            starts_at_ns: step.starts_at_ns,
            ends_at_ns: step.ends_at_ns,
            admitted: step.admitted,
            emitted: step.emitted,
            tokens: step.load.tokens,
        })
    }

    fn stats(&self) -> Stats {
        Engine::stats(self)
    }
}

impl Model for EmbedEngine {
    /// Tokens of the text.
    type Job = u64;

    fn size(job: &u64) -> (u32, u32) {
        (u32::try_from(*job).unwrap_or(u32::MAX), 1)
    }

    fn submit(&mut self, id: u64, job: u64, now: u64) -> Result<(), String> {
        EmbedEngine::submit(self, id, job, now);
        Ok(())
    }

    fn cancel(&mut self, id: u64) {
        EmbedEngine::cancel(self, id);
    }

    fn step(&mut self, now: u64) -> Option<Tick> {
        let step = EmbedEngine::step(self, now)?;
        let done = |id| Emission { id, produced: 1, finish: Some(Finish::Stop) };
        Some(Tick {
            starts_at_ns: now,
            ends_at_ns: step.ends_at_ns,
            admitted: Vec::new(),
            emitted: step.finished.into_iter().map(done).collect(),
            tokens: u32::try_from(step.tokens).unwrap_or(u32::MAX),
        })
    }

    fn stats(&self) -> Stats {
        Stats { waiting: self.waiting(), ..Stats::default() }
    }
}

/// The requests of one call. They come together, so that those of one prompt share its blocks.
#[derive(Debug)]
struct Submission<J> {
    /// The first id; the others follow.
    first: u64,
    jobs: Vec<(J, Reply)>,
    /// Requests for each prompt.
    n: u64,
    arrived_ns: u64,
}

/// What `/metrics` shows.
#[derive(Debug)]
pub(super) struct Telemetry {
    pub(super) stats: Stats,
    pub(super) ledger: Ledger,
}

/// The handlers' side of a driver.
#[derive(Debug)]
pub(super) struct Handle<J> {
    inbox: mpsc::Sender<Submission<J>>,
    departed: Departed,
    telemetry: Arc<Mutex<Telemetry>>,
    next_id: AtomicU64,
    clock: Clock,
}

impl<J: Send> Handle<J> {
    /// Start the requests of one call, `n` for each prompt. `eager`: the handler wants to see every
    /// token.
    pub(super) async fn start(&self, jobs: Vec<J>, n: u64, eager: bool) -> Result<Ticket, Problem> {
        let first = self.next_id.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        let ids: Vec<u64> = (first..first + jobs.len() as u64).collect();
        let (ticket, replies) = Ticket::new(ids, eager, Arc::clone(&self.departed));
        let arrived_ns = self.clock.now();
        let jobs = jobs.into_iter().zip(replies).collect();
        let submission = Submission { first, jobs, n: n.max(1), arrived_ns };
        self.inbox.send(submission).await.map_err(|_| Problem::stopping())?;
        Ok(ticket)
    }

    pub(super) fn telemetry(&self) -> Telemetry {
        let telemetry = self.telemetry.lock().unwrap_or_else(PoisonError::into_inner);
        Telemetry { stats: telemetry.stats, ledger: telemetry.ledger.sums() }
    }
}

/// A handle for `model` and the task that drives it until `stop` changes.
pub(super) fn driver<M: Model>(
    model: M,
    max_model_len: u32,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> (Handle<M::Job>, impl Future<Output = ()> + Send) {
    let (inbox, submissions) = mpsc::channel(INBOX);
    let departed = Departed::default();
    let telemetry = Telemetry { stats: Stats::default(), ledger: Ledger::new(max_model_len) };
    let telemetry = Arc::new(Mutex::new(telemetry));
    let handle = Handle {
        inbox,
        departed: Arc::clone(&departed),
        telemetry: Arc::clone(&telemetry),
        next_id: AtomicU64::new(1),
        clock,
    };
    let driver = Driver { model, submissions, departed, telemetry, open: HashMap::new(), clock };
    (handle, driver.run(stop))
}

struct Driver<M: Model> {
    model: M,
    submissions: mpsc::Receiver<Submission<M::Job>>,
    departed: Departed,
    telemetry: Arc<Mutex<Telemetry>>,
    open: HashMap<u64, Reply>,
    clock: Clock,
}

impl<M: Model> Driver<M> {
    /// Whatever is open when this returns is answered by the dropped replies.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut now = 0;
        loop {
            self.take_in();
            let step = self.model.step(now);
            self.publish();
            let Some(tick) = step else {
                tokio::select! {
                    _ = stop.changed() => return,
                    submission = self.submissions.recv() => match submission {
                        Some(submission) => now = self.accept(submission),
                        None => return,
                    },
                }
                continue;
            };
            let deadline = self.clock.wall(tick.ends_at_ns);
            if deadline > tokio::time::Instant::now() {
                tokio::select! {
                    _ = stop.changed() => return,
                    () = tokio::time::sleep_until(deadline) => {}
                }
            } else {
                // Behind time: give the handlers a turn, then go on at once.
                tokio::task::yield_now().await;
                if stop.has_changed().unwrap_or(true) {
                    return;
                }
            }
            now = tick.ends_at_ns;
            self.deliver(tick);
        }
    }

    /// Read the inbox, then drop those who left. In this order, and with the list of leavers read
    /// first, nobody's leaving can be read before his coming.
    fn take_in(&mut self) {
        let leavers =
            std::mem::take(&mut *self.departed.lock().unwrap_or_else(PoisonError::into_inner));
        while let Ok(submission) = self.submissions.try_recv() {
            self.accept(submission);
        }
        let mut telemetry = lock(&self.telemetry);
        for id in leavers {
            self.open.remove(&id);
            self.model.cancel(id);
            telemetry.ledger.forget(id);
        }
    }

    fn accept(&mut self, submission: Submission<M::Job>) -> u64 {
        let Submission { first, jobs, n, arrived_ns } = submission;
        for (id, (job, reply)) in (first..).zip(jobs) {
            let (prompt_tokens, max_tokens) = M::size(&job);
            match self.model.submit(id, job, arrived_ns) {
                Ok(()) => {
                    let family = id - (id - first) % n;
                    let ask = Ask { arrived_ns, prompt_tokens, max_tokens, family, n };
                    lock(&self.telemetry).ledger.arrived(id, ask);
                    self.open.insert(id, reply);
                }
                Err(reason) => reply.close(Outcome::Rejected(reason)),
            }
        }
        arrived_ns
    }

    fn deliver(&mut self, tick: Tick) {
        let Tick { starts_at_ns, ends_at_ns, admitted, emitted, tokens } = tick;
        let ledger = &mut lock(&self.telemetry).ledger;
        ledger.step(tokens);
        for Admission { id, queued_at_ns, cached_tokens, .. } in admitted {
            ledger.scheduled(id, queued_at_ns, starts_at_ns, cached_tokens);
        }
        for Emission { id, produced, finish } in emitted {
            let Some(reply) = self.open.get_mut(&id) else { continue };
            reply.progress(produced);
            ledger.token(id, produced, starts_at_ns, ends_at_ns);
            if let Some(finish) = finish
                && let Some(reply) = self.open.remove(&id)
            {
                ledger.finished(id, produced);
                reply.close(Outcome::Finished(finish));
            }
        }
    }

    fn publish(&self) {
        lock(&self.telemetry).stats = self.model.stats();
    }
}

fn lock(telemetry: &Mutex<Telemetry>) -> MutexGuard<'_, Telemetry> {
    telemetry.lock().unwrap_or_else(PoisonError::into_inner)
}
