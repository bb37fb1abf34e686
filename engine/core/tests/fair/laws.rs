//! What holds whatever happens in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sage_core::endpoint::Lane;
use sage_core::fair::{Admission, FairQueue, FlowId, Share, Ticket};

const AGING_NS: u64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Holding,
    Paused,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    flow: FlowId,
    lane: Lane,
    arrived_ns: u64,
    state: State,
}

impl Call {
    fn due(&self, ticket: Ticket, now_ns: u64) -> (u64, Ticket) {
        ((self.lane as u64).saturating_sub((now_ns - self.arrived_ns) / AGING_NS), ticket)
    }
}

/// What the queue should know, kept in the plainest way.
struct Model {
    flows: Vec<FlowId>,
    calls: BTreeMap<Ticket, Call>,
}

impl Model {
    fn count(&self, flow: Option<FlowId>, states: &[State]) -> usize {
        let of = |call: &&Call| flow.is_none_or(|flow| call.flow == flow);
        self.calls.values().filter(of).filter(|call| states.contains(&call.state)).count()
    }

    fn pick(&self, state: State, index: prop::sample::Index) -> Option<Ticket> {
        let all: Vec<Ticket> =
            self.calls.iter().filter(|(_, call)| call.state == state).map(|(t, _)| *t).collect();
        (!all.is_empty()).then(|| all[index.index(all.len())])
    }

    fn mark(&mut self, ticket: Ticket, state: State) {
        self.calls.get_mut(&ticket).expect("a known call").state = state;
    }

    /// The queue has granted `ticket`: it may have been this one's turn.
    fn grant(
        &mut self,
        ticket: Ticket,
        queue: &FairQueue,
        now_ns: u64,
    ) -> Result<(), TestCaseError> {
        let call = self.calls[&ticket];
        prop_assert_eq!(call.state, State::Waiting);
        let line = |flow: FlowId| {
            let line = self.calls.iter().filter(move |(_, call)| call.flow == flow);
            line.filter(|(_, call)| call.state == State::Waiting)
        };
        let first = line(call.flow).map(|(&ticket, call)| call.due(ticket, now_ns)).min();
        prop_assert_eq!(first, Some(call.due(ticket, now_ns)), "order of lanes within the flow");
        let entitled =
            |flow: FlowId| self.count(Some(flow), &[State::Holding]) < queue.flow_reserve(flow);
        let passed_over = |&flow: &FlowId| entitled(flow) && line(flow).next().is_some();
        prop_assert!(entitled(call.flow) || !self.flows.iter().any(passed_over), "reserve");
        self.calls.insert(ticket, Call { state: State::Holding, ..call });
        Ok(())
    }
}

fn share() -> impl Strategy<Value = Share> {
    (0.1f64..10.0, prop_oneof![3 => Just(0), 1 => 1u32..4])
        .prop_map(|(weight, reserve)| Share { weight, reserve })
}

type Step = (u8, usize, usize, f64, u64, prop::sample::Index);

fn run(
    first_limit: u32,
    capacity: u32,
    shares: &[Share],
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut queue = FairQueue::new(first_limit, capacity, AGING_NS);
    let flows: Vec<FlowId> = shares.iter().map(|&share| queue.add_flow(share)).collect();
    let mut model = Model { flows: flows.clone(), calls: BTreeMap::new() };
    let (mut now, mut limit, mut most_limit) = (0, first_limit as usize, first_limit as usize);
    for (step, flow, lane, cost, pause, index) in steps {
        now += pause;
        let (flow, lane) = (flows[flow % flows.len()], Lane::ALL[lane]);
        let holding = model.count(None, &[State::Holding]);
        let mut granted = Vec::new();
        match step {
            0..=3 => {
                let outside = model.count(None, &[State::Waiting, State::Paused]);
                let own = model.count(Some(flow), &[State::Waiting, State::Paused]);
                let waiting = Call { flow, lane, arrived_ns: now, state: State::Waiting };
                match queue.request(flow, lane, cost, now) {
                    Admission::Full => {
                        prop_assert!(outside >= capacity as usize);
                        let known = own + model.count(Some(flow), &[State::Holding]);
                        prop_assert!(capacity == 0 || known > 0, "a flow was shut out");
                    }
                    Admission::Queued(ticket) => drop(model.calls.insert(ticket, waiting)),
                    Admission::Granted(ticket) => {
                        prop_assert_eq!(model.count(None, &[State::Waiting]), 0);
                        model.calls.insert(ticket, waiting);
                        granted.push(ticket);
                    }
                }
            }
            4 | 5 => {
                if let Some(ticket) = model.pick(State::Holding, index) {
                    model.calls.remove(&ticket);
                    let actual = (step == 5).then_some(cost * 2.0);
                    granted = queue.release(ticket, actual, now);
                    prop_assert!(queue.release(ticket, actual, now).is_empty());
                }
            }
            6 => {
                if let Some(ticket) = model.pick(State::Holding, index) {
                    model.mark(ticket, State::Paused);
                    granted = queue.pause(ticket, now);
                }
            }
            7 => {
                if let Some(ticket) = model.pick(State::Paused, index) {
                    model.mark(ticket, State::Waiting);
                    match queue.resume(ticket, now) {
                        Admission::Granted(same) => granted.push(same),
                        admission => prop_assert_eq!(admission, Admission::Queued(ticket)),
                    }
                }
            }
            8 => {
                if let Some(ticket) = model.pick(State::Waiting, index) {
                    prop_assert!(queue.cancel(ticket));
                    prop_assert!(!queue.cancel(ticket));
                    model.calls.remove(&ticket);
                }
                if let Some(ticket) = model.pick(State::Holding, index) {
                    prop_assert!(!queue.cancel(ticket));
                }
            }
            9 => {
                if let Some(ticket) = model.pick(State::Paused, index) {
                    queue.forget_paused(ticket);
                    model.calls.remove(&ticket);
                }
            }
            10 => {
                limit = 1 + index.index(6);
                most_limit = most_limit.max(limit);
                granted = queue.set_limit(limit as u32, now);
            }
            _ => queue.set_share(flow, Share { weight: cost, reserve: index.index(3) as u32 }),
        }
        for ticket in granted {
            model.grant(ticket, &queue, now)?;
        }
        let held = model.count(None, &[State::Holding]);
        let lined_up = model.count(None, &[State::Waiting]);
        prop_assert_eq!(queue.in_flight(), held);
        prop_assert_eq!(queue.waiting(), model.calls.len() - held);
        prop_assert!(held <= limit.max(holding));
        prop_assert!(queue.max_in_flight() >= held && queue.max_in_flight() <= most_limit);
        prop_assert!(lined_up == 0 || held >= limit, "a permit is idle");
        prop_assert!(model.calls.len() <= most_limit + 2 * capacity as usize + flows.len());
        for &flow in &flows {
            prop_assert_eq!(queue.flow_in_flight(flow), model.count(Some(flow), &[State::Holding]));
            let waiting = model.count(Some(flow), &[State::Waiting, State::Paused]);
            prop_assert_eq!(queue.flow_waiting(flow), waiting);
        }
        let reserves: usize = flows.iter().map(|&flow| queue.flow_reserve(flow)).sum();
        prop_assert!(reserves < limit.max(1));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Permits are neither lost nor invented nor idle, lanes and reserves are kept, the room is
    /// bounded and shuts nobody out.
    #[test]
    fn any_order_of_events_keeps_the_laws(
        limit in 1u32..6,
        capacity in 0u32..12,
        shares in prop::collection::vec(share(), 1..5),
        steps in prop::collection::vec(
            (0u8..12, 0usize..5, 0usize..3, 0.0f64..1e4, 0u64..800, any::<prop::sample::Index>()),
            1..300,
        ),
    ) {
        run(limit, capacity, &shares, steps)?;
    }
}

fn ticket(admission: Admission) -> Ticket {
    match admission {
        Admission::Granted(ticket) | Admission::Queued(ticket) => ticket,
        Admission::Full => panic!("there is room"),
    }
}

#[test]
fn a_control_call_overtakes_its_own_jobs_batch_calls() {
    let mut queue = FairQueue::new(1, 100, u64::MAX);
    let job = queue.add_flow(Share::default());
    let first = ticket(queue.request(job, Lane::Batch, 10.0, 0));
    let batch = ticket(queue.request(job, Lane::Batch, 10.0, 1));
    let normal = ticket(queue.request(job, Lane::Normal, 10.0, 2));
    let control = ticket(queue.request(job, Lane::Control, 10.0, 3));
    assert_eq!(queue.release(first, None, 4), vec![control]);
    assert_eq!(queue.release(control, None, 5), vec![normal]);
    assert_eq!(queue.release(normal, None, 6), vec![batch]);
}

#[test]
fn waiting_lifts_a_batch_call_over_later_control_calls() {
    let mut queue = FairQueue::new(1, 100, 1_000);
    let job = queue.add_flow(Share::default());
    let mut holder = ticket(queue.request(job, Lane::Control, 10.0, 0));
    let batch = ticket(queue.request(job, Lane::Batch, 10.0, 0));
    // A control call comes every 100 ns and one is served every 100 ns.
    for now in (100..=2_000).step_by(100) {
        let control = ticket(queue.request(job, Lane::Control, 10.0, now));
        let next = queue.release(holder, None, now);
        if now < 2_000 {
            assert_eq!(next, vec![control]);
        } else {
            assert_eq!(next, vec![batch]);
        }
        holder = next[0];
    }
}

#[test]
fn a_resumed_call_stands_before_those_that_came_later() {
    let mut queue = FairQueue::new(1, 100, u64::MAX);
    let job = queue.add_flow(Share::default());
    let first = ticket(queue.request(job, Lane::Normal, 10.0, 0));
    let second = ticket(queue.request(job, Lane::Normal, 10.0, 0));
    let third = ticket(queue.request(job, Lane::Normal, 10.0, 0));
    assert_eq!(queue.pause(first, 1), vec![second]);
    assert_eq!(queue.resume(first, 2), Admission::Queued(first));
    assert_eq!(queue.release(second, None, 3), vec![first]);
    assert_eq!(queue.release(first, None, 4), vec![third]);
}

#[test]
fn idleness_earns_nothing_and_pays_nothing() {
    let mut queue = FairQueue::new(1, 10_000, u64::MAX);
    let early = queue.add_flow(Share::default());
    let late = queue.add_flow(Share::default());
    // One has the upstream for itself for a thousand calls.
    let mut holder = ticket(queue.request(early, Lane::Normal, 100.0, 0));
    for _ in 0..1_200 {
        queue.request(early, Lane::Normal, 100.0, 0);
    }
    for _ in 0..1_000 {
        holder = queue.release(holder, Some(100.0), 0)[0];
    }
    // Then the other comes: from now on they take turns.
    for _ in 0..100 {
        queue.request(late, Lane::Normal, 100.0, 0);
    }
    for _ in 0..50 {
        for _ in 0..2 {
            holder = queue.release(holder, Some(100.0), 0)[0];
        }
        let granted = 100 - queue.flow_waiting(late);
        let since = 200 - queue.flow_waiting(early);
        assert!(granted.abs_diff(since) <= 1, "{granted} and {since}");
    }
}

/// A job that lived on its reserve for long is not punished when the reserve is gone.
#[test]
fn what_a_reserve_let_through_is_no_lasting_debt() {
    let mut queue = FairQueue::new(4, 10_000, u64::MAX);
    let kept = queue.add_flow(Share { weight: 1.0, reserve: 3 });
    let other = queue.add_flow(Share::default());
    let mut held = Vec::new();
    for _ in 0..5_000 {
        for flow in [kept, other] {
            if let Admission::Granted(ticket) = queue.request(flow, Lane::Normal, 10.0, 0) {
                held.push(ticket);
            }
        }
    }
    for release in 0..4_000 {
        let oldest = held.remove(0);
        held.extend(queue.release(oldest, None, 0));
        // Places are given back, not taken away: at first both had two.
        assert!(release < 4 || queue.flow_in_flight(kept) >= 3);
    }
    queue.set_share(kept, Share::default());
    let waiting = queue.flow_waiting(kept);
    let served = (0..10).filter(|_| {
        let oldest = held.remove(0);
        held.extend(queue.release(oldest, None, 0));
        queue.flow_waiting(kept) < waiting
    });
    assert!(served.count() > 0, "ten calls of the other and none of its own");
}

#[test]
fn a_full_line_lets_others_have_their_part_of_it() {
    let mut queue = FairQueue::new(1, 100, u64::MAX);
    let flood = queue.add_flow(Share::default());
    let others: Vec<FlowId> = (0..4).map(|_| queue.add_flow(Share::default())).collect();
    let enter = |queue: &mut FairQueue, flow| {
        (0..1_000).filter(|_| queue.request(flow, Lane::Normal, 1.0, 0) != Admission::Full).count()
    };
    assert_eq!(enter(&mut queue, flood), 101);
    assert_eq!(enter(&mut queue, others[0]), 50);
    assert_eq!(enter(&mut queue, others[1]), 33);
    // Twice the capacity is there; what is left is one call for those that have none.
    assert_eq!(enter(&mut queue, others[2]), 17);
    assert_eq!(enter(&mut queue, others[3]), 1);
    assert_eq!(queue.waiting(), 201);
}

/// Also calls that give their permits back at once do not add up without end.
#[test]
fn paused_calls_are_bounded() {
    let (limit, capacity, jobs) = (8, 2, 5);
    let mut queue = FairQueue::new(limit, capacity, u64::MAX);
    let flows: Vec<FlowId> = (0..jobs).map(|_| queue.add_flow(Share::default())).collect();
    for _ in 0..20 {
        for &flow in &flows {
            let entered: Vec<Ticket> = (0..limit)
                .filter_map(|_| match queue.request(flow, Lane::Normal, 1.0, 0) {
                    Admission::Granted(ticket) => Some(ticket),
                    _ => None,
                })
                .collect();
            for ticket in entered {
                queue.pause(ticket, 0);
            }
        }
    }
    let known = queue.waiting() + queue.in_flight();
    assert!(known <= (limit + 2 * capacity) as usize + flows.len(), "{known}");
}

/// A call that ends after its job has lined up anew: a debt counts as far as it reaches beyond what
/// was forgotten in between, and a credit of the time before is forgotten as well.
#[test]
fn late_corrections_know_what_was_forgotten() {
    for (claimed, actual, least, most) in [(10.0, 5_010.0, 390, 420), (1_000.0, 1.0, 0, 2)] {
        let mut queue = FairQueue::new(2, 10_000, u64::MAX);
        let seldom = queue.add_flow(Share::default());
        let often = queue.add_flow(Share::default());
        let old = ticket(queue.request(seldom, Lane::Normal, claimed, 0));
        let mut holder = ticket(queue.request(often, Lane::Normal, 10.0, 0));
        for _ in 0..2_000 {
            queue.request(often, Lane::Normal, 10.0, 0);
        }
        let before = 101 + claimed as u32 / 10;
        for _ in 0..before {
            holder = queue.release(holder, None, 0)[0];
        }
        for _ in 0..20 {
            queue.request(seldom, Lane::Normal, 10.0, 0);
        }
        let mut held = vec![holder];
        held.extend(queue.release(old, Some(actual), 0));
        let mut others = 0;
        while queue.flow_waiting(seldom) > 10 {
            let oldest = held.remove(0);
            held.extend(queue.release(oldest, None, 0));
            others += 1;
        }
        // Ten of its own were granted, and as many of the other in turn.
        let others = others - 20;
        assert!((least..=most).contains(&others.max(0)), "{others} for {claimed} and {actual}");
    }
}

#[test]
fn tickets_of_others_change_nothing() {
    let mut queue = FairQueue::new(2, 10, 0);
    let flow = queue.add_flow(Share { weight: f64::NAN, reserve: u32::MAX });
    let holder = ticket(queue.request(flow, Lane::Normal, f64::NAN, 5));
    assert_eq!(queue.resume(holder, 0), Admission::Granted(holder));
    queue.forget_paused(holder);
    assert!(!queue.cancel(holder));
    assert!(queue.release(holder, Some(f64::INFINITY), 0).is_empty());
    assert!(queue.pause(holder, 0).is_empty());
    assert_eq!(queue.resume(holder, 0), Admission::Full);
    let mut larger = queue.clone();
    let unknown = larger.add_flow(Share::default());
    assert_eq!(queue.request(unknown, Lane::Normal, 1.0, 0), Admission::Full);
    assert_eq!((queue.in_flight(), queue.waiting()), (0, 0));
}
