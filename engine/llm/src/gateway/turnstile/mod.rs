//! The line in front of one upstream, with its accounts.
//!
//! Drives the pure [`FairQueue`] with wakers and keeps the counters under the same lock, so that a
//! snapshot always adds up. A [`Pass`] is a call's presence here: whatever becomes of the call, also
//! when its future is dropped in the middle of a wait, the pass leaves the line, gives the permit on
//! and books an outcome, exactly once.
//!
//! Calls share by client where clients have keys, else by job: a flow of the queue is one client or
//! one job, or all jobs together where they are to be served in order of arrival. What a call costs is not known before its end; it is taken for its prompt and twice the
//! answer that its stage usually gets, and corrected then.

mod account;
mod pass;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sage_core::endpoint::{ErrorClass, Lane};
use sage_core::fair::{Admission, CostEstimator, FairQueue, FlowId, Share, Ticket};
use sage_core::upstream::UsualTime;
use sage_core::upstream::settings::{MAX_KINDS, USUAL_ANSWER};
use tokio::sync::oneshot;

use super::config::{JobShares, Price, Upstream};
use super::figures::Histogram;
use super::peek::Usage;
use super::stats::{Counters, StageStats};

use account::Accounts;
pub(super) use pass::{Extra, Pass};

/// Longest `Retry-After`, seconds.
const MAX_RETRY_AFTER: f64 = 60.0;

/// See the module.
pub(super) struct Turnstile {
    state: Mutex<State>,
    price: Price,
    started: Instant,
}

struct State {
    queue: FairQueue,
    costs: CostEstimator,
    waiting: HashMap<Ticket, (usize, oneshot::Sender<()>)>,
    accounts: Accounts,
    /// The flows of clients with keys.
    clients: Vec<FlowId>,
    queue_wait: Histogram,
    latency: Histogram,
    usual: UsualTime,
}

/// What the turnstile must know of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor<'a> {
    /// Its job.
    pub(super) job: &'a str,
    /// Its client, if that has a key of its own.
    pub(super) client: Option<usize>,
    /// Its stage.
    pub(super) stage: Option<u32>,
    /// How urgent it is.
    pub(super) lane: Lane,
    /// Tokens of its prompts.
    pub(super) input: f64,
    /// Most tokens of its answer.
    pub(super) limit: Option<f64>,
    /// Tells prompts of different kinds apart that come without a stage.
    pub(super) kind: u64,
}

/// The line is full.
pub(super) struct Full {
    /// When there may be room again, seconds.
    pub(super) retry_after_s: u32,
}

/// Limit, counters of all jobs together, of each, and of each stage.
pub(super) struct Snapshot {
    pub(super) limit: u32,
    pub(super) total: Counters,
    pub(super) jobs: BTreeMap<String, Counters>,
    pub(super) stages: Vec<StageStats>,
}

impl Turnstile {
    pub(super) fn new(limit: u32, upstream: &Upstream, clients: &[Share], jobs: JobShares) -> Self {
        let Upstream { queue, aging, price, .. } = *upstream;
        let mut line = FairQueue::new(limit.max(1), queue, aging.as_nanos() as u64);
        let state = State {
            clients: clients.iter().map(|&share| line.add_flow(share)).collect(),
            queue: line,
            costs: CostEstimator::new(USUAL_ANSWER, MAX_KINDS),
            waiting: HashMap::new(),
            accounts: Accounts::new(jobs),
            queue_wait: Histogram::default(),
            latency: Histogram::default(),
            usual: UsualTime::default(),
        };
        Turnstile { state: Mutex::new(state), price, started: Instant::now() }
    }

    /// A call comes.
    pub(super) fn enter(self: &Arc<Self>, visitor: Visitor<'_>) -> Result<Pass, Full> {
        let now = self.now_ns();
        let mut state = self.lock();
        let State { queue, accounts, costs, clients, .. } = &mut *state;
        let account = accounts.open(visitor.job, visitor.stage, queue);
        let flow = visitor.client.and_then(|client| clients.get(client).copied());
        let flow = flow.unwrap_or(accounts[account].flow);
        let key = match visitor.stage {
            Some(stage) => (account as u64) << 32 | u64::from(stage),
            None => visitor.kind ^ (account as u64) << 32,
        };
        let cost = costs.estimate(key, visitor.input, visitor.limit);
        let admission = queue.request(flow, visitor.lane, cost, now);
        accounts[account].counters.calls += 1;
        let (ticket, stage) = match admission {
            Admission::Full => {
                accounts[account].counters.errors.count(ErrorClass::Throttled);
                return Err(Full { retry_after_s: state.retry_after_s() });
            }
            Admission::Granted(ticket) => {
                accounts[account].counters.queued += 1;
                state.hold(account);
                (ticket, pass::Stage::Holding)
            }
            Admission::Queued(ticket) => {
                accounts[account].counters.queued += 1;
                (ticket, pass::Stage::Waiting(state.wait(ticket, account)))
            }
        };
        drop(state);
        let owner = pass::Owner::new(&visitor, account, flow, key);
        Ok(Pass::new(self.clone(), ticket, stage, owner))
    }

    /// A call of `job` is answered by the journal alone: `items` times.
    pub(super) fn answered_before(&self, job: &str, stage: Option<u32>, items: u64) {
        let mut state = self.lock();
        let State { queue, accounts, .. } = &mut *state;
        let account = accounts.open(job, stage, queue);
        let counters = &mut accounts[account].counters;
        counters.calls += 1;
        counters.ok += 1;
        accounts.hits(account, stage, items);
        if let Some(stage) = accounts.stage(account, stage) {
            stage.ok += 1;
        }
    }

    /// The journal answers `items` items of a call of `job`, not all.
    pub(super) fn hits(&self, job: &str, stage: Option<u32>, items: u64) {
        let mut state = self.lock();
        let State { queue, accounts, .. } = &mut *state;
        let account = accounts.open(job, stage, queue);
        accounts.hits(account, stage, items);
    }

    pub(super) fn set_limit(&self, limit: u32) {
        let now = self.now_ns();
        let mut state = self.lock();
        if state.queue.limit() as u32 != limit.max(1) {
            let granted = state.queue.set_limit(limit.max(1), now);
            state.wake(granted);
        }
    }

    /// Calls with a permit, and calls that wait for one.
    pub(super) fn load(&self) -> (u32, u32) {
        let state = self.lock();
        (state.queue.in_flight() as u32, state.queue.waiting() as u32)
    }

    /// How long calls hold their permits.
    pub(super) fn usual(&self) -> UsualTime {
        self.lock().usual
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let mut total = Counters::default();
        for account in state.accounts.iter() {
            total.add(&account.counters);
        }
        total.max_in_flight = state.queue.max_in_flight() as u64;
        let limit = state.queue.limit() as u32;
        Snapshot { limit, total, jobs: state.accounts.jobs(), stages: state.accounts.stages() }
    }

    /// Times to the first try, and of whole calls.
    pub(super) fn times(&self) -> (Histogram, Histogram) {
        let state = self.lock();
        (state.queue_wait.clone(), state.latency.clone())
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, ticket: Ticket, account: usize) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        self.waiting.insert(ticket, (account, wake));
        woken
    }

    /// `tickets` have permits now. If a call is just going away, its pass will find out.
    fn wake(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            if let Some((account, wake)) = self.waiting.remove(&ticket) {
                self.hold(account);
                let _ = wake.send(());
            }
        }
    }

    fn hold(&mut self, account: usize) {
        let counters = &mut self.accounts[account].counters;
        counters.queued -= 1;
        counters.in_flight += 1;
        counters.max_in_flight = counters.max_in_flight.max(counters.in_flight);
    }

    /// Until a tenth of the line has gone, at the pace of late. The line is full for every client at
    /// once: told to come back for the first free place, they would only be refused together.
    fn retry_after_s(&self) -> u32 {
        let tenth = self.queue.waiting() as f64 / 10.0;
        let usual_s = self.usual.seconds().unwrap_or(0.0);
        let seconds = tenth * usual_s / self.queue.limit().max(1) as f64;
        seconds.clamp(1.0, MAX_RETRY_AFTER).ceil() as u32
    }
}

#[cfg(test)]
mod tests;
