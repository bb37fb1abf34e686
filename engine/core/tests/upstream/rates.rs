//! Both rate limits at once: no minute has more than either, and calls go in order of arrival.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use proptest::prelude::*;
use sage_core::upstream::{Rates, Taken, Turn};

use super::{MINUTE, MS, SECOND};

#[derive(Debug, Clone, Copy)]
struct Call {
    /// After the one before it.
    gap_ms: u64,
    tokens: u32,
    /// What it uses of its tokens.
    share: f64,
    service_ms: u64,
    /// Gives up after so long in the line.
    patience_ms: Option<u64>,
}

/// What was sent: when, which call, tokens it used.
type Sent = Vec<(u64, u64, f64)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ends(u64),
    Arrives(u64),
    GivesUp(u64),
    Asks,
}

/// Drives the limits as gateway and twin do.
struct World<'a> {
    rates: Rates,
    calls: &'a [Call],
    agenda: BinaryHeap<Reverse<(u64, Event)>>,
    open: Vec<Option<Taken>>,
    asks_ns: Option<u64>,
    sent: Sent,
}

impl World<'_> {
    fn send(&mut self, number: u64, taken: Taken, now_ns: u64) {
        let call = self.calls[number as usize];
        self.sent.push((now_ns, number, f64::from(call.tokens) * call.share));
        self.open[number as usize] = Some(taken);
        self.agenda.push(Reverse((now_ns + call.service_ms * MS, Event::Ends(number))));
    }

    /// The first asks, until one has to sleep.
    fn turn(&mut self, now_ns: u64) {
        while let Some(first) = self.rates.first() {
            match self.rates.ask(first, now_ns) {
                Turn::Taken(taken) => self.send(first, taken, now_ns),
                Turn::Wait(ns) => {
                    self.asks_ns = Some(now_ns + ns);
                    self.agenda.push(Reverse((now_ns + ns, Event::Asks)));
                    return;
                }
                Turn::Behind => panic!("the first is not the first"),
            }
        }
        self.asks_ns = None;
    }
}

fn run(requests_per_s: Option<f64>, tokens_per_s: Option<f64>, calls: &[Call]) -> Sent {
    let mut world = World {
        rates: Rates::new(requests_per_s, tokens_per_s),
        calls,
        agenda: BinaryHeap::new(),
        open: calls.iter().map(|_| None).collect(),
        asks_ns: None,
        sent: Vec::new(),
    };
    let mut at_ns = 0;
    for (number, call) in (0..).zip(calls) {
        at_ns += call.gap_ms * MS;
        world.agenda.push(Reverse((at_ns, Event::Arrives(number))));
    }
    while let Some(Reverse((now_ns, event))) = world.agenda.pop() {
        match event {
            Event::Arrives(number) => {
                let call = calls[number as usize];
                let before = world.rates.used(now_ns);
                if let Some(taken) = world.rates.take_at_once(f64::from(call.tokens), now_ns) {
                    world.send(number, taken, now_ns);
                    continue;
                }
                world.rates.join(number, f64::from(call.tokens));
                if world.rates.first() == Some(number) {
                    world.turn(now_ns);
                }
                assert_eq!(world.rates.used(now_ns), before, "who waits holds nothing");
                if let Some(ms) = call.patience_ms {
                    world.agenda.push(Reverse((now_ns + ms * MS, Event::GivesUp(number))));
                }
            }
            Event::GivesUp(number) => {
                if world.rates.leave(number) {
                    world.turn(now_ns);
                }
            }
            Event::Asks if world.asks_ns == Some(now_ns) => world.turn(now_ns),
            Event::Asks => {}
            Event::Ends(number) => {
                let call = calls[number as usize];
                let taken = world.open[number as usize].take().unwrap();
                let used = f64::from(call.tokens) * call.share;
                world.rates.settle(taken, Some(used), now_ns);
            }
        }
    }
    assert_eq!(world.rates.first(), None, "nobody is left in the line");
    world.sent
}

/// The most that any minute has.
fn fullest(sent: &Sent, amount: impl Fn(f64) -> f64) -> f64 {
    let (mut window, mut sum, mut most) = (VecDeque::new(), 0.0, 0.0_f64);
    for &(at_ns, _, used) in sent {
        window.push_back((at_ns, amount(used)));
        sum += amount(used);
        while let Some(&(first_ns, first)) = window.front()
            && first_ns + MINUTE <= at_ns
        {
            sum -= first;
            window.pop_front();
        }
        most = most.max(sum);
    }
    most
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let patience_ms = prop_oneof![3 => Just(None), 1 => (1u64..90_000).prop_map(Some)];
    let call = (0u64..400, 1u32..400, 0.0f64..=1.0, 1u64..5_000, patience_ms);
    let call = call.prop_map(|(gap_ms, tokens, share, service_ms, patience_ms)| Call {
        gap_ms,
        tokens,
        share,
        service_ms,
        patience_ms,
    });
    proptest::collection::vec(call, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_minute_has_more_than_either_limit_and_all_go_in_order(
        requests_per_s in prop_oneof![Just(None), (0.5f64..8.0).prop_map(Some)],
        tokens_per_s in prop_oneof![Just(None), (100.0f64..2_000.0).prop_map(Some)],
        calls in calls(),
    ) {
        let sent = run(requests_per_s, tokens_per_s, &calls);
        prop_assert!(sent.iter().map(|&(_, number, _)| number).is_sorted(), "in order of arrival");
        let patient = calls.iter().filter(|call| call.patience_ms.is_none()).count();
        prop_assert!(sent.len() >= patient, "every call that can wait is sent");
        if let Some(rate) = requests_per_s {
            let most = fullest(&sent, |_| 1.0);
            prop_assert!(most <= rate * 60.0 + 1e-6, "{most} sends of {}", rate * 60.0);
        }
        if let Some(rate) = tokens_per_s {
            let most = fullest(&sent, |used| used);
            prop_assert!(most <= rate * 60.0 + 1e-6, "{most} tokens of {}", rate * 60.0);
        }
    }
}

#[test]
fn who_waits_for_tokens_holds_no_request() {
    let mut rates = Rates::new(Some(100.0), Some(100.0));
    let taken = rates.take_at_once(500.0, 0).unwrap();
    (1..10).for_each(|number| rates.join(number, 500.0));
    assert!(matches!(rates.ask(1, 0), Turn::Wait(_)));
    assert!(matches!(rates.ask(2, 0), Turn::Behind));
    assert_eq!(rates.used(0), [Some(1.0), Some(500.0)]);
    rates.settle(taken, None, 0);
    // Ten that the tokens let through one after the other, five seconds apart.
    let call = Call { gap_ms: 0, tokens: 500, share: 1.0, service_ms: 1, patience_ms: None };
    let sent = run(Some(100.0), Some(100.0), &[call; 10]);
    let times: Vec<u64> = sent.iter().map(|&(at_ns, ..)| at_ns / SECOND).collect();
    assert_eq!(times.len(), 10);
    assert!(times.windows(2).skip(1).all(|pair| pair[0] + 4 <= pair[1]), "{times:?}");
}

/// Small calls that come one a second and stand behind large ones for two minutes: had each its
/// request from its arrival on, all would go at once when the last large one has gone.
#[test]
fn small_calls_behind_large_ones_are_not_sent_together() {
    let call =
        |tokens| Call { gap_ms: 1_000, tokens, share: 1.0, service_ms: 1, patience_ms: None };
    let calls = [[call(400); 30].as_slice(), [call(1); 90].as_slice()].concat();
    let sent = run(Some(1.0), Some(100.0), &calls);
    let most = fullest(&sent, |_| 1.0);
    assert!((55.0..=60.0).contains(&most), "{most} sends in the fullest minute of 60");
}

#[test]
fn nobody_overtakes_who_waits() {
    let mut rates = Rates::new(None, Some(100.0));
    let open = rates.take_at_once(60.0, 0).unwrap();
    rates.join(1, 90.0);
    assert!(rates.take_at_once(1.0, 0).is_none(), "there would be room, but not before the first");
    rates.join(2, 1.0);
    assert!(!rates.leave(7) && rates.leave(1));
    assert!(matches!(rates.ask(2, 0), Turn::Taken(_)));
    rates.undo(open, 0);
    assert_eq!((rates.first(), rates.used(0)), (None, [None, Some(1.0)]));
    assert!(rates.take_at_once(50.0, 0).is_some());
}

#[test]
fn without_limits_nobody_waits() {
    let mut rates = Rates::new(None, None);
    let taken = rates.take_at_once(1e12, 0).unwrap();
    rates.settle(taken, Some(1.0), 0);
    assert_eq!(rates.used(0), [None, None]);
}
