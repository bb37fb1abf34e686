//! The line in front of one upstream, with its accounts.
//!
//! Drives the pure [`ConcurrencyLimit`] with wakers and keeps the counters under the same lock, so
//! that a snapshot always adds up. A [`Pass`] is a call's presence here: whatever becomes of the
//! call, also when its future is dropped in the middle of a wait, the pass leaves the line, gives
//! the permit on and books an outcome, exactly once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sage_core::endpoint::ErrorClass;
use sage_core::limit::{Admission, ConcurrencyLimit, Ticket};
use tokio::sync::oneshot;

use super::peek::Usage;
use super::stats::Counters;

/// Most jobs with an account of their own; their names come from clients.
const MAX_JOBS: usize = 1_000;
const OTHER_JOBS: &str = "(other)";

/// See the module.
pub(super) struct Turnstile {
    state: Mutex<State>,
}

struct State {
    limit: ConcurrencyLimit,
    waiting: HashMap<Ticket, (usize, oneshot::Sender<()>)>,
    jobs: Vec<Counters>,
    names: BTreeMap<String, usize>,
}

/// A call's presence at the turnstile.
pub(super) struct Pass {
    turnstile: Arc<Turnstile>,
    ticket: Ticket,
    job: usize,
    stage: Stage,
    tries: u32,
}

enum Stage {
    Waiting(oneshot::Receiver<()>),
    Holding,
    Paused,
    Gone,
}

impl Turnstile {
    pub(super) fn new(limit: u32, queue: u32) -> Self {
        let state = State {
            limit: ConcurrencyLimit::new(limit, queue),
            waiting: HashMap::new(),
            jobs: Vec::new(),
            names: BTreeMap::new(),
        };
        Turnstile { state: Mutex::new(state) }
    }

    /// A call of `job` comes; `None` if the line is full.
    pub(super) fn enter(self: &Arc<Self>, job: &str) -> Option<Pass> {
        let mut state = self.lock();
        let job = state.account(job);
        state.jobs[job].calls += 1;
        let admission = state.limit.request();
        let (ticket, stage) = match admission {
            Admission::Full => {
                state.jobs[job].errors.count(ErrorClass::Throttled);
                return None;
            }
            Admission::Granted(ticket) => {
                state.jobs[job].queued += 1;
                state.hold(job);
                (ticket, Stage::Holding)
            }
            Admission::Queued(ticket) => {
                state.jobs[job].queued += 1;
                (ticket, Stage::Waiting(state.wait(ticket, job)))
            }
        };
        Some(Pass { turnstile: self.clone(), ticket, job, stage, tries: 0 })
    }

    pub(super) fn set_limit(&self, limit: u32) {
        let mut state = self.lock();
        for ticket in state.limit.set_limit(limit) {
            state.wake(Some(ticket));
        }
    }

    /// Limit, counters of all jobs together, and of each.
    pub(super) fn snapshot(&self) -> (u32, Counters, BTreeMap<String, Counters>) {
        let state = self.lock();
        let mut total = Counters::default();
        for counters in &state.jobs {
            total.add(counters);
        }
        total.max_in_flight = state.limit.max_in_flight() as u64;
        let jobs = state.names.iter().map(|(name, &job)| (name.clone(), state.jobs[job].clone()));
        (state.limit.limit() as u32, total, jobs.collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn account(&mut self, name: &str) -> usize {
        if let Some(&job) = self.names.get(name) {
            return job;
        }
        if name != OTHER_JOBS && self.jobs.len() >= MAX_JOBS {
            return self.account(OTHER_JOBS);
        }
        self.jobs.push(Counters::default());
        self.names.insert(name.to_owned(), self.jobs.len() - 1);
        self.jobs.len() - 1
    }

    fn wait(&mut self, ticket: Ticket, job: usize) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.waiting.insert(ticket, (job, wake));
        woken
    }

    /// `ticket` has a permit now. If its call is just going away, its pass will find out.
    fn wake(&mut self, ticket: Option<Ticket>) {
        if let Some((job, wake)) = ticket.and_then(|ticket| self.waiting.remove(&ticket)) {
            self.hold(job);
            let _ = wake.send(());
        }
    }

    fn hold(&mut self, job: usize) {
        let counters = &mut self.jobs[job];
        counters.queued -= 1;
        counters.in_flight += 1;
        counters.max_in_flight = counters.max_in_flight.max(counters.in_flight);
    }
}

impl Pass {
    /// Wait for a permit. At once if the pass holds one.
    pub(super) async fn permit(&mut self) {
        if let Stage::Waiting(woken) = &mut self.stage {
            // The sender is dropped without a word only together with the whole line.
            drop(woken.await);
            self.stage = Stage::Holding;
        }
    }

    /// Give the permit back until [`resume`](Self::resume), keeping the place by arrival.
    pub(super) fn pause(&mut self) {
        if matches!(self.stage, Stage::Holding) {
            let mut state = self.turnstile.lock();
            state.jobs[self.job].in_flight -= 1;
            state.jobs[self.job].queued += 1;
            let next = state.limit.pause(self.ticket);
            state.wake(next);
            self.stage = Stage::Paused;
        }
    }

    /// Ask for a permit again; then wait with [`permit`](Self::permit).
    pub(super) fn resume(&mut self) {
        if matches!(self.stage, Stage::Paused) {
            let mut state = self.turnstile.lock();
            self.stage = if let Admission::Granted(_) = state.limit.resume(self.ticket) {
                state.hold(self.job);
                Stage::Holding
            } else {
                Stage::Waiting(state.wait(self.ticket, self.job))
            };
        }
    }

    /// A try begins. Counted before its outcome is known, because a try that is cut off half way
    /// has reached the upstream, too.
    pub(super) fn begin_try(&mut self) {
        let mut state = self.turnstile.lock();
        state.jobs[self.job].attempts += 1;
        state.jobs[self.job].retries += u64::from(self.tries > 0);
        self.tries += 1;
    }

    /// The try made no connection: the upstream never saw it.
    pub(super) fn undo_try(&mut self) {
        let mut state = self.turnstile.lock();
        self.tries -= 1;
        state.jobs[self.job].attempts -= 1;
        state.jobs[self.job].retries -= u64::from(self.tries > 0);
    }

    /// Tries so far.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// The call is over.
    pub(super) fn leave(mut self, outcome: Result<Usage, ErrorClass>) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: Result<Usage, ErrorClass>) {
        let mut state = self.turnstile.lock();
        let stage = std::mem::replace(&mut self.stage, Stage::Gone);
        let next = match stage {
            Stage::Gone => return,
            Stage::Paused => {
                state.limit.forget_paused();
                state.jobs[self.job].queued -= 1;
                None
            }
            Stage::Waiting(_) if state.limit.cancel(self.ticket) => {
                state.waiting.remove(&self.ticket);
                state.jobs[self.job].queued -= 1;
                None
            }
            // A waiting pass that is not in the line was given a permit this very moment.
            Stage::Waiting(_) | Stage::Holding => {
                state.jobs[self.job].in_flight -= 1;
                state.limit.release(self.ticket)
            }
        };
        state.wake(next);
        let counters = &mut state.jobs[self.job];
        match outcome {
            Ok(usage) => {
                counters.ok += 1;
                counters.prompt_tokens += usage.prompt_tokens;
                counters.completion_tokens += usage.completion_tokens;
            }
            Err(class) => counters.errors.count(class),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // Left in the middle: its client went away.
        self.settle(Err(ErrorClass::Cancelled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds_up(turnstile: &Turnstile) -> Counters {
        let (_, total, _) = turnstile.snapshot();
        let known = total.ok + total.errors.sum() + total.in_flight + total.queued;
        assert_eq!(total.calls, known);
        total
    }

    #[test]
    fn a_permit_given_to_a_call_that_is_leaving_goes_on_to_the_next() {
        let turnstile = Arc::new(Turnstile::new(1, 10));
        let first = turnstile.enter("a").unwrap();
        let second = turnstile.enter("a").unwrap();
        let mut third = turnstile.enter("b").unwrap();
        assert_eq!(adds_up(&turnstile).queued, 2);
        first.leave(Ok(Usage::default()));
        // The second has the permit now and has not noticed.
        drop(second);
        let Stage::Waiting(woken) = &mut third.stage else { panic!("it was told to wait") };
        assert_eq!(woken.try_recv(), Ok(()));
        let total = adds_up(&turnstile);
        assert_eq!((total.ok, total.errors.cancelled, total.in_flight), (1, 1, 1));
    }

    #[test]
    fn every_stage_can_be_left() {
        let turnstile = Arc::new(Turnstile::new(1, 10));
        let mut paused = turnstile.enter("a").unwrap();
        paused.pause();
        let holding = turnstile.enter("a").unwrap();
        let waiting = turnstile.enter("a").unwrap();
        assert_eq!(adds_up(&turnstile).queued, 2);
        drop((waiting, paused, holding));
        let total = adds_up(&turnstile);
        assert_eq!((total.in_flight, total.queued, total.errors.cancelled), (0, 0, 3));
        assert_eq!(turnstile.lock().limit.waiting(), 0);
        assert!(turnstile.lock().waiting.is_empty());
    }

    #[test]
    fn the_number_of_accounts_is_bounded() {
        let turnstile = Arc::new(Turnstile::new(1, 0));
        for job in 0..MAX_JOBS + 10 {
            drop(turnstile.enter(&job.to_string()));
        }
        let (_, _, jobs) = turnstile.snapshot();
        assert_eq!(jobs.len(), MAX_JOBS + 1);
        assert_eq!(jobs[OTHER_JOBS].calls, 10);
    }
}
