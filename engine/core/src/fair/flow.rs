//! One flow's calls by lane, and its tag in virtual time.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Share, Ticket};
use crate::endpoint::Lane;

const WEIGHTS: std::ops::RangeInclusive<f64> = 1e-3..=1e3;

/// A call costs at least one token: free calls could be granted without end. The upper bound keeps
/// sums of tags exact enough.
const COSTS: std::ops::RangeInclusive<f64> = 1.0..=1e9;

/// A point in virtual time; totally ordered, so that it can be a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tag(pub(super) f64);

impl Eq for Tag {}

impl PartialOrd for Tag {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tag {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// What a grant was booked at, to be corrected when the true cost is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charge {
    cost: f64,
    weight: f64,
    epoch: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Flow {
    weight: f64,
    /// As asked for.
    pub(super) reserve: u32,
    /// As far as the limit has room for it.
    pub(super) reserve_in_force: usize,
    /// Waiting calls with their time of arrival, nanoseconds; tickets are numbered by arrival.
    lanes: [BTreeMap<Ticket, u64>; Lane::ALL.len()],
    pub(super) in_flight: usize,
    pub(super) paused: usize,
    /// Start tag of the next call: the finish tag of the last.
    pub(super) tag: f64,
    /// Counts how often the tag was lifted to the virtual time.
    epoch: u64,
    /// By how much it was lifted the last time, less what late corrections have used of it.
    forgotten: f64,
    /// Whether the queue counts it among the flows that wait.
    pub(super) counted: bool,
    /// Where the queue's order has it.
    pub(super) place: Option<(bool, Tag)>,
}

impl Flow {
    pub(super) fn new(share: Share) -> Self {
        let mut flow = Flow {
            weight: 1.0,
            reserve: 0,
            reserve_in_force: 0,
            lanes: Default::default(),
            in_flight: 0,
            paused: 0,
            tag: 0.0,
            epoch: 0,
            forgotten: 0.0,
            counted: false,
            place: None,
        };
        flow.set_share(share);
        flow
    }

    pub(super) fn set_share(&mut self, share: Share) {
        self.weight = if share.weight.is_nan() {
            1.0
        } else {
            share.weight.clamp(*WEIGHTS.start(), *WEIGHTS.end())
        };
        self.reserve = share.reserve;
    }

    /// Calls that stand in line.
    pub(super) fn lined_up(&self) -> usize {
        self.lanes.iter().map(BTreeMap::len).sum()
    }

    pub(super) fn is_lined_up(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_empty())
    }

    /// Calls without a permit.
    pub(super) fn waiting(&self) -> usize {
        self.lined_up() + self.paused
    }

    /// A call lines up. A flow that had none in line starts at the virtual time: what it did not use
    /// meanwhile is forgotten, what it owes is not.
    pub(super) fn push(&mut self, ticket: Ticket, lane: Lane, arrived_ns: u64, virtual_time: f64) {
        if !self.is_lined_up() && self.tag < virtual_time {
            self.forgotten = virtual_time - self.tag;
            self.tag = virtual_time;
            self.epoch += 1;
        }
        self.lanes[lane as usize].insert(ticket, arrived_ns);
    }

    pub(super) fn remove(&mut self, ticket: Ticket, lane: Lane) {
        self.lanes[lane as usize].remove(&ticket);
    }

    /// The call that is due: the most urgent lane after aging, then the oldest. The oldest of a lane
    /// is also the one that aging has lifted most, so only the heads need to be compared.
    pub(super) fn pop(&mut self, now_ns: u64, aging_ns: u64) -> Option<Ticket> {
        let heads = self.lanes.iter().enumerate().filter_map(|(lane, calls)| {
            let (&ticket, &arrived_ns) = calls.first_key_value()?;
            let lifted = now_ns.saturating_sub(arrived_ns).checked_div(aging_ns);
            let lifted = lifted.map_or(lane, |lanes| lane.min(lanes as usize));
            Some((lane - lifted, ticket, lane))
        });
        let (_, ticket, lane) = heads.min()?;
        self.lanes[lane].remove(&ticket);
        Some(ticket)
    }

    /// Books a granted call. One that only the reserve lets through is free while the flow is a full
    /// round of `limit` such calls ahead of everyone: it lives on its reserve then, and a debt that
    /// grew for ever would starve it on the day the reserve shrinks.
    pub(super) fn charge(
        &mut self,
        cost: f64,
        virtual_time: f64,
        by_reserve: Option<usize>,
    ) -> Option<Charge> {
        let span = cost / self.weight;
        if by_reserve.is_some_and(|limit| self.tag > virtual_time + limit as f64 * span) {
            return None;
        }
        self.tag += span;
        Some(Charge { cost, weight: self.weight, epoch: self.epoch })
    }

    /// Books what a call has really cost. For a call of the time before the flow's tag was last
    /// lifted, only that counts which would have reached beyond the virtual time of the lift.
    pub(super) fn correct(&mut self, charge: Charge, actual: f64) {
        let error = (actual - charge.cost) / charge.weight;
        if charge.epoch == self.epoch {
            self.tag = (self.tag + error).max(0.0);
            return;
        }
        self.forgotten -= error;
        if self.forgotten < 0.0 {
            self.tag -= self.forgotten;
            self.forgotten = 0.0;
        }
    }
}

/// A cost, whatever was said.
pub(super) fn bounded(cost: f64) -> f64 {
    if cost.is_nan() { 1.0 } else { cost.clamp(*COSTS.start(), *COSTS.end()) }
}
