//! The task that owns an engine: it takes requests, steps, sleeps until the step's end, delivers.
//!
//! It sleeps only while a step runs and otherwise waits for a request, so an idle server causes no
//! wake-up at all. It also reads its inbox only between steps, as a real scheduler does; requests
//! carry the virtual time of their arrival, so nothing is lost by that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sage_core::vllm::{EmbedEngine, Emission, Engine, Finish, Request, Stats};
use tokio::sync::{mpsc, watch};

use super::call::{Departed, Outcome, Reply, Ticket};
use super::clock::Clock;
use super::latency::{Latencies, Times};
use super::problem::Problem;

/// Requests that wait for the driver; beyond, handlers wait.
const INBOX: usize = 4096;

/// An engine of either kind.
pub(super) trait Model: Send + 'static {
    type Job: Send;
    fn submit(&mut self, id: u64, job: Self::Job, now: u64) -> Result<(), String>;
    fn cancel(&mut self, id: u64);
    /// End of the next step and its tokens.
    fn step(&mut self, now: u64) -> Option<(u64, Vec<Emission>)>;
    fn stats(&self) -> Stats;
}

impl Model for Engine {
    type Job = Request;

    fn submit(&mut self, id: u64, job: Request, now: u64) -> Result<(), String> {
        Engine::submit(self, Request { id, ..job }, now).map_err(|error| error.to_string())
    }

    fn cancel(&mut self, id: u64) {
        Engine::cancel(self, id);
    }

    fn step(&mut self, now: u64) -> Option<(u64, Vec<Emission>)> {
        Engine::step(self, now).map(|step| (step.ends_at_ns, step.emitted))
    }

    fn stats(&self) -> Stats {
        Engine::stats(self)
    }
}

impl Model for EmbedEngine {
    /// Tokens of all texts.
    type Job = u64;

    fn submit(&mut self, id: u64, job: u64, now: u64) -> Result<(), String> {
        EmbedEngine::submit(self, id, job, now);
        Ok(())
    }

    fn cancel(&mut self, id: u64) {
        EmbedEngine::cancel(self, id);
    }

    fn step(&mut self, now: u64) -> Option<(u64, Vec<Emission>)> {
        let step = EmbedEngine::step(self, now)?;
        let done = |id| Emission { id, produced: 1, finish: Some(Finish::Stop) };
        Some((step.ends_at_ns, step.finished.into_iter().map(done).collect()))
    }

    fn stats(&self) -> Stats {
        Stats { waiting: self.waiting(), ..Stats::default() }
    }
}

#[derive(Debug)]
struct Submission<J> {
    id: u64,
    job: J,
    arrived_ns: u64,
    reply: Reply,
}

/// What `/metrics` shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Telemetry {
    pub(super) stats: Stats,
    pub(super) latencies: Latencies,
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
    /// Start the requests of one call. `eager`: the handler wants to see every token.
    pub(super) async fn start(&self, jobs: Vec<J>, eager: bool) -> Result<Ticket, Problem> {
        let first = self.next_id.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        let ids: Vec<u64> = (first..first + jobs.len() as u64).collect();
        let (ticket, replies) = Ticket::new(ids, eager, Arc::clone(&self.departed));
        let arrived_ns = self.clock.now();
        for ((id, job), reply) in (first..).zip(jobs).zip(replies) {
            let submission = Submission { id, job, arrived_ns, reply };
            self.inbox.send(submission).await.map_err(|_| Problem::stopping())?;
        }
        Ok(ticket)
    }

    pub(super) fn telemetry(&self) -> Telemetry {
        self.telemetry.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A handle for `model` and the task that drives it until `stop` changes.
pub(super) fn driver<M: Model>(
    model: M,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> (Handle<M::Job>, impl Future<Output = ()> + Send) {
    let (inbox, submissions) = mpsc::channel(INBOX);
    let departed = Departed::default();
    let telemetry = Arc::new(Mutex::new(Telemetry::default()));
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
    open: HashMap<u64, (Reply, Times)>,
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
            let Some((ends_at_ns, emitted)) = step else {
                tokio::select! {
                    _ = stop.changed() => return,
                    submission = self.submissions.recv() => match submission {
                        Some(submission) => now = self.accept(submission),
                        None => return,
                    },
                }
                continue;
            };
            let deadline = self.clock.wall(ends_at_ns);
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
            now = ends_at_ns;
            self.deliver(emitted, now);
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
        for id in leavers {
            self.open.remove(&id);
            self.model.cancel(id);
        }
    }

    fn accept(&mut self, submission: Submission<M::Job>) -> u64 {
        let Submission { id, job, arrived_ns, reply } = submission;
        match self.model.submit(id, job, arrived_ns) {
            Ok(()) => {
                let times = Times { arrived_ns, last_ns: arrived_ns };
                self.open.insert(id, (reply, times));
            }
            Err(reason) => reply.close(Outcome::Rejected(reason)),
        }
        arrived_ns
    }

    fn deliver(&mut self, emitted: Vec<Emission>, now: u64) {
        let mut telemetry = self.telemetry.lock().unwrap_or_else(PoisonError::into_inner);
        for Emission { id, produced, finish } in emitted {
            let Some((reply, times)) = self.open.get_mut(&id) else { continue };
            reply.progress(produced);
            telemetry.latencies.token(times, produced == 1, finish.is_some(), now);
            if let Some(finish) = finish
                && let Some((reply, _)) = self.open.remove(&id)
            {
                reply.close(Outcome::Finished(finish));
            }
        }
    }

    fn publish(&self) {
        self.telemetry.lock().unwrap_or_else(PoisonError::into_inner).stats = self.model.stats();
    }
}
