//! The queue: permits, the order of flows, and the bound of what may wait.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::flow::{Charge, Flow, Tag, bounded};
use super::{Admission, FlowId, Share, Ticket};
use crate::endpoint::Lane;

/// Permits for one upstream, shared among flows by start-time fair queueing.
///
/// - **Order.** A free permit goes to the flow with the smallest start tag; the tag then moves on by
///   cost / weight. Virtual time is the smallest tag of all flows in line at a grant. A flow that
///   lines up anew starts no earlier than that: idleness earns nothing, and all debts end with the
///   busy period. Between two flows with calls in line all the time, the granted cost per weight
///   never differs by more than `c_f/w_f + c_g/w_g`, the completed by no more than
///   `(D + 1) (c_f/w_f + c_g/w_g)`, where `c` is the largest cost of a call (the theorems of the
///   papers named at the module).
/// - **Cost.** A grant is booked at the estimate; [`release`](Self::release) corrects it by what the
///   call has really cost, so a wrong estimate is paid for or given back at the next grants. Every
///   try is booked: one that ended in [`pause`](Self::pause) has held a place, too.
/// - **Reserve.** A flow in line with fewer calls in flight than its reserve goes before the others.
///   If the reserves together exceed the limit less one they are scaled down to that: the one place
///   that is left rotates among all, so that none starves.
/// - **Lanes** order the calls of one flow: the more urgent lane first, then by arrival. Every
///   `aging_ns` that a call waits lifts it one lane (0: lanes make no difference).
/// - **Room.** At most `capacity` calls without a permit, paused ones included. When they are there,
///   a flow may still have its fair part, `capacity` / (flows that wait), up to `2 * capacity` in
///   all, and a flow that has no call here one even then: a flood shuts out nobody but itself. So
///   never more than `limit + 2 * capacity + flows` calls are known here (`limit`: the largest there
///   was), and without a flood `limit + capacity`.
///
/// All operations take logarithmic time in flows and waiting calls, but those that change shares or
/// the limit, which look at each flow. What makes no sense (a ticket of a call that is gone, a flow
/// of another queue) changes nothing.
///
/// ```
/// use sage_core::endpoint::Lane;
/// use sage_core::fair::{Admission, FairQueue, Share};
///
/// let mut queue = FairQueue::new(1, 100, 1_000_000_000);
/// let (flood, other) = (queue.add_flow(Share::default()), queue.add_flow(Share::default()));
/// let Admission::Granted(first) = queue.request(flood, Lane::Normal, 900.0, 0) else { panic!() };
/// for _ in 0..50 {
///     queue.request(flood, Lane::Normal, 900.0, 0);
/// }
/// // It came last and is served next.
/// let Admission::Queued(small) = queue.request(other, Lane::Normal, 30.0, 0) else { panic!() };
/// assert_eq!(queue.release(first, Some(850.0), 1), vec![small]);
/// ```
#[derive(Debug, Clone)]
pub struct FairQueue {
    limit: usize,
    capacity: usize,
    aging_ns: u64,
    flows: Vec<Flow>,
    calls: FxHashMap<Ticket, Call>,
    /// Flows in line below their reserve.
    by_reserve: BTreeSet<(Tag, FlowId)>,
    /// The other flows in line.
    by_tag: BTreeSet<(Tag, FlowId)>,
    lined_up: usize,
    paused: usize,
    /// Flows with calls in line or paused.
    waiting_flows: usize,
    in_flight: usize,
    max_in_flight: usize,
    virtual_time: f64,
    last_finish: f64,
    next: u64,
    now_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    flow: FlowId,
    lane: Lane,
    cost: f64,
    arrived_ns: u64,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting,
    /// With what it was booked at, if it was.
    Holding(Option<Charge>),
    Paused,
}

impl FairQueue {
    /// `limit` permits (at least 1), room for `capacity` calls without one.
    pub fn new(limit: u32, capacity: u32, aging_ns: u64) -> Self {
        FairQueue {
            limit: limit.max(1) as usize,
            capacity: capacity as usize,
            aging_ns,
            flows: Vec::new(),
            calls: FxHashMap::default(),
            by_reserve: BTreeSet::new(),
            by_tag: BTreeSet::new(),
            lined_up: 0,
            paused: 0,
            waiting_flows: 0,
            in_flight: 0,
            max_in_flight: 0,
            virtual_time: 0.0,
            last_finish: 0.0,
            next: 0,
            now_ns: 0,
        }
    }

    /// Another flow. Flows are never taken away; the driver bounds their number.
    pub fn add_flow(&mut self, share: Share) -> FlowId {
        let flow = FlowId(self.flows.len() as u32);
        self.flows.push(Flow::new(share));
        self.apportion();
        flow
    }

    /// From now on `flow` has this share. What was booked stays as it is.
    pub fn set_share(&mut self, flow: FlowId, share: Share) {
        if let Some(known) = self.flows.get_mut(flow.0 as usize) {
            known.set_share(share);
            self.apportion();
        }
    }

    /// A new call of `flow` that is expected to cost `cost`.
    pub fn request(&mut self, flow: FlowId, lane: Lane, cost: f64, now_ns: u64) -> Admission {
        if (flow.0 as usize) >= self.flows.len() || !self.has_room_for(flow) {
            return Admission::Full;
        }
        self.advance(now_ns);
        let ticket = Ticket(self.next);
        self.next += 1;
        let (cost, arrived_ns) = (bounded(cost), self.now_ns);
        let call = Call { flow, lane, cost, arrived_ns, state: State::Waiting };
        self.calls.insert(ticket, call);
        self.line_up(ticket, call)
    }

    /// A call with a permit is over and has cost `actual_cost`, if that is known; names the calls
    /// that have a permit now.
    pub fn release(
        &mut self,
        holder: Ticket,
        actual_cost: Option<f64>,
        now_ns: u64,
    ) -> Vec<Ticket> {
        let Some(&Call { flow, state: State::Holding(charge), .. }) = self.calls.get(&holder)
        else {
            return Vec::new();
        };
        self.calls.remove(&holder);
        self.advance(now_ns);
        if let (Some(charge), Some(actual)) = (charge, actual_cost) {
            let known = &mut self.flows[flow.0 as usize];
            known.correct(charge, bounded(actual));
            self.last_finish = self.last_finish.max(known.tag);
        }
        self.give_back(flow);
        self.grant_all()
    }

    /// A call with a permit gives it back until it [resumes](Self::resume); names the calls that
    /// have a permit now.
    pub fn pause(&mut self, holder: Ticket, now_ns: u64) -> Vec<Ticket> {
        let Some(call) = self.calls.get_mut(&holder) else { return Vec::new() };
        if !matches!(call.state, State::Holding(_)) {
            return Vec::new();
        }
        call.state = State::Paused;
        let flow = call.flow;
        self.advance(now_ns);
        self.change(flow, |known| known.paused += 1);
        self.paused += 1;
        self.give_back(flow);
        self.grant_all()
    }

    /// A paused call wants a permit again. It lines up by its time of arrival, and there is always
    /// room for it.
    pub fn resume(&mut self, ticket: Ticket, now_ns: u64) -> Admission {
        let Some(call) = self.calls.get_mut(&ticket) else { return Admission::Full };
        match call.state {
            State::Holding(_) => Admission::Granted(ticket),
            State::Waiting => Admission::Queued(ticket),
            State::Paused => {
                call.state = State::Waiting;
                let call = *call;
                self.advance(now_ns);
                self.leave_pause(call.flow);
                self.line_up(ticket, call)
            }
        }
    }

    /// A paused call is over.
    pub fn forget_paused(&mut self, ticket: Ticket) {
        if let Some(&Call { flow, state: State::Paused, .. }) = self.calls.get(&ticket) {
            self.calls.remove(&ticket);
            self.leave_pause(flow);
        }
    }

    /// A call leaves the line. False if it is not in it (any more): then it may hold a permit.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let Some(&Call { flow, lane, state: State::Waiting, .. }) = self.calls.get(&ticket) else {
            return false;
        };
        self.calls.remove(&ticket);
        self.lined_up -= 1;
        self.change(flow, |known| known.remove(ticket, lane));
        self.rest();
        true
    }

    /// Change the limit; names the calls that have a permit now. A lower limit takes no permit back,
    /// it lets calls end.
    pub fn set_limit(&mut self, limit: u32, now_ns: u64) -> Vec<Ticket> {
        self.advance(now_ns);
        self.limit = limit.max(1) as usize;
        self.apportion();
        self.grant_all()
    }

    /// Permits at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Permits out.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Most permits that were ever out.
    pub fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// Calls without a permit: in line or paused.
    pub fn waiting(&self) -> usize {
        self.lined_up + self.paused
    }

    /// Permits that `flow` holds.
    pub fn flow_in_flight(&self, flow: FlowId) -> usize {
        self.flows.get(flow.0 as usize).map_or(0, |known| known.in_flight)
    }

    /// Calls of `flow` without a permit: in line or paused.
    pub fn flow_waiting(&self, flow: FlowId) -> usize {
        self.flows.get(flow.0 as usize).map_or(0, Flow::waiting)
    }

    /// The reserve of `flow` as far as the limit has room for it.
    pub fn flow_reserve(&self, flow: FlowId) -> usize {
        self.flows.get(flow.0 as usize).map_or(0, |known| known.reserve_in_force)
    }

    /// Whether a call of `flow` may come in (see the type). With nobody in line and a permit free it
    /// needs no room to wait, but those that are paused must not become more without end.
    fn has_room_for(&self, flow: FlowId) -> bool {
        let total = self.waiting();
        let at_once = self.in_flight < self.limit && self.lined_up == 0;
        if total < self.capacity || (at_once && self.in_flight + total < self.capacity + self.limit)
        {
            return true;
        }
        if self.capacity == 0 {
            return false;
        }
        let own = self.flow_waiting(flow);
        let sharers = self.waiting_flows + usize::from(own == 0);
        (total < 2 * self.capacity && own < (self.capacity / sharers).max(1))
            || own + self.flow_in_flight(flow) == 0
    }

    /// Time does not run backwards here, whatever the driver says: arrivals order the lanes.
    fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    fn line_up(&mut self, ticket: Ticket, call: Call) -> Admission {
        let virtual_time = self.virtual_time;
        self.change(call.flow, |known| {
            known.push(ticket, call.lane, call.arrived_ns, virtual_time);
        });
        self.lined_up += 1;
        // If a permit is free nobody else is in line, so it is this call's.
        match self.grant() {
            Some(_) => Admission::Granted(ticket),
            None => Admission::Queued(ticket),
        }
    }

    fn give_back(&mut self, flow: FlowId) {
        self.in_flight -= 1;
        self.change(flow, |known| known.in_flight -= 1);
        self.rest();
    }

    fn leave_pause(&mut self, flow: FlowId) {
        self.paused -= 1;
        self.change(flow, |known| known.paused -= 1);
    }

    /// When nothing is left to do the busy period is over, and with it all debts.
    fn rest(&mut self) {
        if self.in_flight == 0 && self.lined_up == 0 {
            self.virtual_time = self.virtual_time.max(self.last_finish);
        }
    }

    fn grant_all(&mut self) -> Vec<Ticket> {
        std::iter::from_fn(|| self.grant()).collect()
    }

    fn grant(&mut self) -> Option<Ticket> {
        if self.in_flight >= self.limit {
            return None;
        }
        let (reserved, tagged) = (self.by_reserve.first(), self.by_tag.first());
        let &(_, flow) = reserved.or(tagged)?;
        let by_reserve = reserved.map(|_| self.limit);
        // The smallest tag in line, also if a reserve goes first: a flow that is far ahead thanks to
        // its reserve must not take the virtual time with it.
        let &(Tag(lowest), _) = reserved.into_iter().chain(tagged).min()?;
        self.virtual_time = self.virtual_time.max(lowest);
        let (now_ns, aging_ns) = (self.now_ns, self.aging_ns);
        let ticket = self.flows[flow.0 as usize].pop(now_ns, aging_ns)?;
        let virtual_time = self.virtual_time;
        let call = self.calls.get_mut(&ticket)?;
        let charge = self.flows[flow.0 as usize].charge(call.cost, virtual_time, by_reserve);
        call.state = State::Holding(charge);
        self.lined_up -= 1;
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
        self.last_finish = self.last_finish.max(self.flows[flow.0 as usize].tag);
        self.change(flow, |known| known.in_flight += 1);
        Some(ticket)
    }

    /// Change a flow and put it where it belongs in the order.
    fn change(&mut self, flow: FlowId, change: impl FnOnce(&mut Flow)) {
        let known = &mut self.flows[flow.0 as usize];
        change(known);
        let below_reserve = known.in_flight < known.reserve_in_force;
        let place = known.is_lined_up().then_some((below_reserve, Tag(known.tag)));
        let waits = place.is_some() || known.paused > 0;
        if waits != known.counted {
            known.counted = waits;
            self.waiting_flows =
                if waits { self.waiting_flows + 1 } else { self.waiting_flows - 1 };
        }
        let before = std::mem::replace(&mut known.place, place);
        if before == place {
            return;
        }
        if let Some((reserved, tag)) = before {
            self.order(reserved).remove(&(tag, flow));
        }
        if let Some((reserved, tag)) = place {
            self.order(reserved).insert((tag, flow));
        }
    }

    fn order(&mut self, reserved: bool) -> &mut BTreeSet<(Tag, FlowId)> {
        if reserved { &mut self.by_reserve } else { &mut self.by_tag }
    }

    /// Scale the reserves to what the limit has room for: all places but one. Rounding cumulated
    /// sums keeps the total exact.
    fn apportion(&mut self) {
        let asked: u64 = self.flows.iter().map(|flow| u64::from(flow.reserve)).sum();
        let room = asked.min(self.limit as u64 - 1);
        let scaled =
            |sum: u64| (u128::from(sum) * u128::from(room) / u128::from(asked.max(1))) as usize;
        let mut before = 0;
        for index in 0..self.flows.len() {
            let after = before + u64::from(self.flows[index].reserve);
            let in_force = scaled(after) - scaled(before);
            before = after;
            if in_force != self.flows[index].reserve_in_force {
                self.change(FlowId(index as u32), |flow| flow.reserve_in_force = in_force);
            }
        }
    }
}
