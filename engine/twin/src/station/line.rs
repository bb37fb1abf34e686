//! The line in front of the endpoint: the gateway's turnstile without locks and wakers.

use rustc_hash::FxHashMap;
use sage_core::endpoint::Lane;
use sage_core::fair::{Admission, CostEstimator, FairQueue, FlowId, Share, Ticket};
use sage_core::upstream::UsualTime;
use sage_core::upstream::settings::{MAX_KINDS, USUAL_ANSWER};

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    queue: FairQueue,
    costs: CostEstimator,
    /// By job.
    flows: Vec<FlowId>,
    /// Which call a ticket is.
    calls: FxHashMap<Ticket, u64>,
    usual: UsualTime,
    /// Up to when permits are counted.
    counted_ns: u64,
    /// Permits that are out, and permits that there are, summed over time.
    held_ns: u64,
    limit_ns: u64,
}

/// What the line must know of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    /// Number of the call.
    pub(super) call: u64,
    pub(super) job: usize,
    pub(super) lane: Lane,
    /// Calls with the same key get answers of like length.
    pub(super) key: u64,
    /// Tokens of its prompts.
    pub(super) input: f64,
    /// Most tokens of its answers.
    pub(super) limit: f64,
}

/// A place in the line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// A permit at once.
    Granted(Ticket),
    Queued(Ticket),
    /// There is no room.
    Full,
}

impl Line {
    /// One flow for each of `shares`, or a common one.
    pub(super) fn new(
        limit: u32,
        capacity: u32,
        aging_ns: u64,
        shares: &[f64],
        fair: bool,
    ) -> Self {
        let mut queue = FairQueue::new(limit, capacity, aging_ns);
        let flows = if fair {
            let share = |&weight: &f64| Share { weight, reserve: 0 };
            shares.iter().map(|weight| queue.add_flow(share(weight))).collect()
        } else {
            vec![queue.add_flow(Share::default()); shares.len()]
        };
        Line {
            queue,
            costs: CostEstimator::new(USUAL_ANSWER, MAX_KINDS),
            flows,
            calls: FxHashMap::default(),
            usual: UsualTime::default(),
            counted_ns: 0,
            held_ns: 0,
            limit_ns: 0,
        }
    }

    /// Count the time up to now, before anything changes.
    fn count(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.counted_ns);
        let times = |permits: usize| passed_ns.saturating_mul(permits as u64);
        self.held_ns = self.held_ns.saturating_add(times(self.queue.in_flight()));
        self.limit_ns = self.limit_ns.saturating_add(times(self.queue.limit()));
        self.counted_ns = self.counted_ns.max(now_ns);
    }

    /// Number of jobs.
    pub(super) fn jobs(&self) -> usize {
        self.flows.len()
    }

    /// A call comes.
    pub(super) fn enter(&mut self, visitor: Visitor, now_ns: u64) -> Place {
        let Visitor { call, job, lane, key, input, limit } = visitor;
        self.count(now_ns);
        let cost = self.costs.estimate(key, input, Some(limit));
        let Some(&flow) = self.flows.get(job) else { return Place::Full };
        match self.queue.request(flow, lane, cost, now_ns) {
            Admission::Full => Place::Full,
            Admission::Granted(ticket) => {
                self.calls.insert(ticket, call);
                Place::Granted(ticket)
            }
            Admission::Queued(ticket) => {
                self.calls.insert(ticket, call);
                Place::Queued(ticket)
            }
        }
    }

    /// A permit beside the one that a call of `job` holds, if one is free and nobody waits. What the
    /// second try will use is not known, since the loser is cut off: it is paid as its prompt.
    pub(super) fn extra(
        &mut self,
        job: usize,
        lane: Lane,
        input: f64,
        now_ns: u64,
    ) -> Option<Ticket> {
        if self.queue.waiting() > 0 || self.queue.in_flight() >= self.queue.limit() {
            return None;
        }
        self.count(now_ns);
        match self.queue.request(*self.flows.get(job)?, lane, input.max(1.0), now_ns) {
            Admission::Granted(ticket) => Some(ticket),
            Admission::Queued(ticket) => {
                self.queue.cancel(ticket);
                None
            }
            Admission::Full => None,
        }
    }

    /// A call that holds a permit is over, with what it used if that is known. The calls that have a
    /// permit now.
    pub(super) fn release(&mut self, ticket: Ticket, cost: Option<f64>, now_ns: u64) -> Vec<u64> {
        self.count(now_ns);
        self.calls.remove(&ticket);
        let granted = self.queue.release(ticket, cost, now_ns);
        self.named(&granted)
    }

    /// A call that has no permit, or does not know of it yet, goes away.
    pub(super) fn go_away(&mut self, ticket: Ticket, now_ns: u64) -> Vec<u64> {
        self.count(now_ns);
        if self.queue.cancel(ticket) {
            self.calls.remove(&ticket);
            return Vec::new();
        }
        self.release(ticket, None, now_ns)
    }

    /// A paused call is over.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.calls.remove(&ticket);
        self.queue.forget_paused(ticket);
    }

    /// A call gives its permit back until it [resumes](Self::resume).
    pub(super) fn pause(&mut self, ticket: Ticket, now_ns: u64) -> Vec<u64> {
        self.count(now_ns);
        let granted = self.queue.pause(ticket, now_ns);
        self.named(&granted)
    }

    /// A paused call wants a permit again; true if it has one.
    pub(super) fn resume(&mut self, ticket: Ticket, now_ns: u64) -> bool {
        self.count(now_ns);
        matches!(self.queue.resume(ticket, now_ns), Admission::Granted(_))
    }

    /// Change the limit.
    pub(super) fn set_limit(&mut self, limit: u32, now_ns: u64) -> Vec<u64> {
        let limit = limit.max(1);
        if limit == self.limit() {
            return Vec::new();
        }
        self.count(now_ns);
        let granted = self.queue.set_limit(limit, now_ns);
        self.named(&granted)
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.load() == (0, 0) && self.calls.is_empty()
    }

    fn named(&self, tickets: &[Ticket]) -> Vec<u64> {
        tickets.iter().filter_map(|ticket| self.calls.get(ticket).copied()).collect()
    }

    /// A call of `key` was answered and held its permit for `held_ns`.
    pub(super) fn served(&mut self, held_ns: u64) {
        self.usual.observe(held_ns as f64 / 1e9);
    }

    /// What a call of `key` has cost, from now on also expected of others.
    pub(super) fn learn(&mut self, key: u64, input: f64, output: f64) -> f64 {
        self.costs.observe(key, output);
        CostEstimator::cost(input, output)
    }

    /// How long calls hold their permits.
    pub(super) fn usual(&self) -> UsualTime {
        self.usual
    }

    pub(super) fn limit(&self) -> u32 {
        self.queue.limit() as u32
    }

    /// Calls with a permit, and calls that wait for one.
    pub(super) fn load(&self) -> (u32, u32) {
        (self.queue.in_flight() as u32, self.queue.waiting() as u32)
    }

    /// For how long permits were out, all together, whatever became of their calls.
    pub(super) fn held_ns(&self) -> u64 {
        self.held_ns
    }

    /// The limit, on average over the time in which there was something to count.
    pub(super) fn mean_limit(&self) -> f64 {
        match self.counted_ns {
            0 => f64::from(self.limit()),
            ns => self.limit_ns as f64 / ns as f64,
        }
    }

    pub(super) fn max_in_flight(&self) -> u64 {
        self.queue.max_in_flight() as u64
    }
}
