//! A simulated upstream: so many places, and each call takes its place for a time proportional to
//! its cost. Jobs keep a constant number of calls outstanding.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use sage_core::endpoint::Lane;
use sage_core::fair::{Admission, FairQueue, FlowId, Share, Ticket};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// A place does a thousand tokens a second.
const NS_PER_TOKEN: f64 = 1e6;

/// How often a job comes back that was told the line is full.
const AGAIN_NS: u64 = 100_000_000;

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) share: Share,
    pub(crate) outstanding: u32,
    pub(crate) lane: Lane,
    /// Tokens of a call, from and to.
    pub(crate) cost: (f64, f64),
    /// What it says a call will cost, as a multiple of what it does.
    pub(crate) claims: f64,
    /// When it begins.
    pub(crate) from_ns: u64,
}

impl Job {
    pub(crate) fn new(outstanding: u32, cost: (f64, f64)) -> Self {
        let (share, lane) = (Share::default(), Lane::Normal);
        Job { share, outstanding, lane, cost, claims: 1.0, from_ns: 0 }
    }

    pub(crate) fn weight(mut self, weight: f64) -> Self {
        self.share.weight = weight;
        self
    }

    pub(crate) fn reserve(mut self, reserve: u32) -> Self {
        self.share.reserve = reserve;
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    Granted,
    Done,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) at_ns: u64,
    pub(crate) job: usize,
    pub(crate) what: What,
    pub(crate) cost: f64,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Done(Ticket),
    Come(usize),
}

struct Upstream<'a> {
    jobs: &'a [Job],
    flows: Vec<FlowId>,
    queue: FairQueue,
    rng: Pcg32,
    calls: BTreeMap<Ticket, (usize, f64)>,
    agenda: BinaryHeap<Reverse<(u64, Next)>>,
    events: Vec<Event>,
    now_ns: u64,
}

/// Everything that happened in `seconds`, in order.
pub(crate) fn run(jobs: &[Job], places: u32, capacity: u32, seconds: u64) -> Vec<Event> {
    let mut queue = FairQueue::new(places, capacity, 5 * SECOND);
    let mut upstream = Upstream {
        jobs,
        flows: jobs.iter().map(|job| queue.add_flow(job.share)).collect(),
        queue,
        rng: Pcg32::seed_from_u64(42),
        calls: BTreeMap::new(),
        agenda: BinaryHeap::new(),
        events: Vec::new(),
        now_ns: 0,
    };
    for (index, job) in jobs.iter().enumerate() {
        for _ in 0..job.outstanding {
            upstream.agenda.push(Reverse((job.from_ns, Next::Come(index))));
        }
    }
    while let Some(Reverse((at_ns, next))) = upstream.agenda.pop() {
        if at_ns > seconds * SECOND {
            break;
        }
        upstream.now_ns = at_ns;
        match next {
            Next::Come(job) => upstream.come(job),
            Next::Done(ticket) => {
                let (job, cost) = upstream.calls.remove(&ticket).expect("it was begun");
                upstream.note(job, What::Done, cost);
                for granted in upstream.queue.release(ticket, Some(cost), at_ns) {
                    upstream.begin(granted);
                }
                upstream.come(job);
            }
        }
    }
    upstream.events
}

impl Upstream<'_> {
    fn come(&mut self, index: usize) {
        let job = &self.jobs[index];
        let cost = self.rng.random_range(job.cost.0..=job.cost.1).round();
        let claimed = cost * job.claims;
        match self.queue.request(self.flows[index], job.lane, claimed, self.now_ns) {
            Admission::Granted(ticket) => {
                self.calls.insert(ticket, (index, cost));
                self.begin(ticket);
            }
            Admission::Queued(ticket) => drop(self.calls.insert(ticket, (index, cost))),
            Admission::Full => {
                let again = self.now_ns + AGAIN_NS;
                self.agenda.push(Reverse((again, Next::Come(index))));
            }
        }
    }

    fn begin(&mut self, ticket: Ticket) {
        let (job, cost) = self.calls[&ticket];
        self.note(job, What::Granted, cost);
        let done_ns = self.now_ns + (cost * NS_PER_TOKEN) as u64;
        self.agenda.push(Reverse((done_ns, Next::Done(ticket))));
    }

    fn note(&mut self, job: usize, what: What, cost: f64) {
        self.events.push(Event { at_ns: self.now_ns, job, what, cost });
    }
}

/// Completed tokens of `job` in each window of `width_s` after `from_s`.
pub(crate) fn windows(events: &[Event], job: usize, from_s: u64, width_s: u64) -> Vec<f64> {
    let last_ns = events.last().map_or(0, |event| event.at_ns);
    let count = (last_ns / SECOND).saturating_sub(from_s) / width_s;
    let mut sums = vec![0.0; count as usize];
    for event in events.iter().filter(|event| event.job == job && event.what == What::Done) {
        if let Some(after_ns) = event.at_ns.checked_sub(from_s * SECOND)
            && let Some(sum) = sums.get_mut((after_ns / (width_s * SECOND)) as usize)
        {
            *sum += event.cost;
        }
    }
    sums
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation over mean.
pub(crate) fn variation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (square / values.len() as f64).sqrt() / mean
}
