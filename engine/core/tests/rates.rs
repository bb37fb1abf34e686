//! Rate limits under sixteen simulated workers: what any minute holds, and what it lets through.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use sage_core::limit::{RateLimit, Reservation};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const WORKERS: usize = 16;

#[derive(Debug, Clone)]
struct Work {
    limit: f64,
    /// Largest estimate, as a part of the limit.
    most: f64,
    /// What a call uses of its estimate, from and to.
    uses: (f64, f64),
    /// Part of the calls that fail and are refunded.
    fails: f64,
    /// Longest service, seconds.
    service_s: f64,
    /// Part of the calls after which a worker rests, for up to so many seconds.
    rests: (f64, f64),
    minutes: u64,
    seed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    at_ns: u64,
    settled_ns: u64,
    estimate: f64,
    used: f64,
}

/// All calls that passed, in order.
fn run(work: &Work) -> (Vec<Call>, RateLimit) {
    let mut limit = RateLimit::per_minute(work.limit);
    let mut rng = Pcg32::seed_from_u64(work.seed);
    let mut calls: Vec<Call> = Vec::new();
    let mut open: Vec<Option<(Reservation, usize)>> = (0..WORKERS).map(|_| None).collect();
    let mut wants = [0.0; WORKERS];
    let mut agenda: BinaryHeap<Reverse<(u64, usize)>> =
        (0..WORKERS).map(|worker| Reverse((0, worker))).collect();
    while let Some(Reverse((now, worker))) = agenda.pop() {
        if now > work.minutes * MINUTE {
            break;
        }
        if let Some((reservation, call)) = open[worker].take() {
            let used = calls[call].used;
            if used > 0.0 {
                limit.settle(reservation, used, now);
            } else {
                limit.refund(reservation, now);
            }
            wants[worker] = 0.0;
            let rest = if rng.random_bool(work.rests.0) {
                (rng.random_range(0.0..=work.rests.1) * SECOND as f64) as u64
            } else {
                0
            };
            agenda.push(Reverse((now + rest, worker)));
            continue;
        }
        if wants[worker] == 0.0 {
            wants[worker] = rng.random_range(0.01..=1.0) * work.most * work.limit;
        }
        let estimate = wants[worker];
        match limit.reserve(estimate, now) {
            Err(wait) => {
                assert!(wait > 0);
                agenda.push(Reverse((now.saturating_add(wait), worker)));
            }
            Ok(reservation) => {
                assert!((reservation.amount() - estimate).abs() < 1e-9);
                let fails = rng.random_bool(work.fails);
                let uses = rng.random_range(work.uses.0..=work.uses.1);
                let used = if fails { 0.0 } else { estimate * uses };
                let service = (rng.random_range(0.001..=work.service_s) * SECOND as f64) as u64;
                open[worker] = Some((reservation, calls.len()));
                calls.push(Call { at_ns: now, settled_ns: now + service, estimate, used });
                agenda.push(Reverse((now + service, worker)));
            }
        }
    }
    (calls, limit)
}

/// The fullest minute, less what the calls that were open at its last reservation used beyond
/// theirs. A minute is fullest where a reservation ends it.
fn fullest(calls: &[Call]) -> f64 {
    let mut most = 0.0f64;
    let mut first = 0;
    for (last, end) in calls.iter().enumerate() {
        while calls[first].at_ns + MINUTE <= end.at_ns {
            first += 1;
        }
        let minute: f64 = calls[first..=last].iter().map(|call| call.used).sum();
        let open = calls[..=last].iter().filter(|call| call.settled_ns >= end.at_ns);
        let beyond: f64 = open.map(|call| (call.used - call.estimate).max(0.0)).sum();
        most = most.max(minute - beyond);
    }
    most
}

fn used(calls: &[Call]) -> f64 {
    calls.iter().map(|call| call.used).sum()
}

fn work(uses: (f64, f64)) -> impl Strategy<Value = Work> {
    let shape = (0.001f64..0.4, 0.0f64..0.5, 0.01f64..90.0, 0.0f64..0.5, 0.1f64..100.0);
    (10.0f64..1e6, shape, any::<u64>()).prop_map(move |(limit, shape, seed)| {
        let (most, fails, service_s, often, long) = shape;
        Work { limit, most, uses, fails, service_s, rests: (often, long), minutes: 6, seed }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Estimates that are never too low: no minute above the limit, refunds or not.
    #[test]
    fn no_minute_is_above_the_limit(work in work((0.0, 1.0))) {
        let (calls, _) = run(&work);
        let most = fullest(&calls);
        prop_assert!(most <= work.limit * (1.0 + 1e-6), "{most} of {}", work.limit);
    }

    /// Estimates that may be too low: a minute is above the limit by no more than what open calls
    /// hid, and over the whole time the excess is made up for.
    #[test]
    fn low_estimates_are_made_up_for(work in work((0.0, 3.0))) {
        let (calls, _) = run(&work);
        let most = fullest(&calls);
        prop_assert!(most <= work.limit * (1.0 + 1e-6), "{most} of {}", work.limit);
        // The pace: a second's worth at first, then the rate, and on top only what is under way.
        let largest = work.most * work.limit;
        let allowed = work.limit * work.minutes as f64 + (work.limit / 60.0).max(1.0);
        let under_way = 3.0 * largest * WORKERS as f64;
        prop_assert!(used(&calls) <= allowed + under_way + largest);
    }

    /// Requests: one each, nothing to estimate.
    #[test]
    fn requests_hold_in_any_minute(
        limit in 1u32..4_000,
        service_s in 0.01f64..20.0,
        often in 0.0f64..0.3,
        seed: u64,
    ) {
        let mut limiter = RateLimit::per_minute(f64::from(limit));
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut at = Vec::new();
        let mut agenda: BinaryHeap<Reverse<(u64, usize)>> =
            (0..WORKERS).map(|worker| Reverse((0, worker))).collect();
        while let Some(Reverse((now, worker))) = agenda.pop().filter(|r| r.0.0 < 5 * MINUTE) {
            let next = match limiter.reserve(1.0, now) {
                Err(wait) => wait,
                Ok(reservation) => {
                    limiter.settle(reservation, 1.0, now);
                    at.push(now);
                    let rest = if rng.random_bool(often) { 40.0 } else { 0.0 };
                    ((rng.random_range(0.001..=service_s) + rest) * SECOND as f64) as u64
                }
            };
            agenda.push(Reverse((now + next, worker)));
        }
        for (first, start) in at.iter().enumerate() {
            let minute = at[first..].iter().take_while(|&&t| t < start + MINUTE).count();
            prop_assert!(minute <= limit as usize, "{minute} of {limit}");
        }
    }

    /// What the ledger says is the sum of what was reserved and used in the last minute, to within
    /// one slot.
    #[test]
    fn the_ledger_knows_the_window(work in work((0.0, 1.0))) {
        let (calls, limit) = run(&work);
        let now = work.minutes * MINUTE;
        let sum = |width: u64| -> f64 {
            let known = calls.iter().filter(|call| call.at_ns + width > now);
            known.map(|call| if call.settled_ns <= now { call.used } else { call.estimate }).sum()
        };
        let known = limit.used_in_window(now);
        let slack = work.limit * 1e-9;
        prop_assert!(known >= sum(MINUTE) - slack && known <= sum(MINUTE + SECOND / 4) + slack);
        prop_assert!(limit.used_in_window(now + 2 * MINUTE).abs() < slack);
    }
}

/// The limit is also used: greedy workers get nearly all of it, also when most of each estimate
/// comes back.
#[test]
fn nearly_all_of_the_limit_passes() {
    for (uses, least) in [((1.0, 1.0), 0.98), ((0.2, 0.5), 0.95)] {
        let work = Work {
            limit: 600_000.0,
            most: 0.005,
            uses,
            fails: 0.0,
            service_s: 1.0,
            rests: (0.0, 1.0),
            minutes: 10,
            seed: 7,
        };
        let (calls, _) = run(&work);
        let part = used(&calls) / (work.limit * work.minutes as f64);
        println!(
            "uses {uses:?}: {part:.4} of the limit, fullest minute {:.4}",
            fullest(&calls) / work.limit
        );
        assert!(part >= least, "{part} of the limit");
    }
}

/// A second's worth passes at once, then the rate; a minute's worth is never sent in a burst.
#[test]
fn calls_are_spread_over_the_minute() {
    let mut limit = RateLimit::per_minute(600.0);
    let (mut now, mut sent) = (0, Vec::new());
    while now < MINUTE {
        match limit.reserve(1.0, now) {
            Ok(reservation) => {
                limit.settle(reservation, 1.0, now);
                sent.push(now);
            }
            Err(wait) => now += wait,
        }
    }
    for (first, start) in sent.iter().enumerate() {
        let second = sent[first..].iter().take_while(|&&at| at < start + SECOND).count();
        assert!(second <= 20, "{second} in a second");
    }
}

#[test]
fn more_than_the_limit_passes_alone() {
    let mut limit = RateLimit::per_minute(100.0);
    let small = limit.reserve(1.0, 0).unwrap();
    limit.settle(small, 1.0, 0);
    let wait = limit.reserve(250.0, SECOND).unwrap_err();
    // Once the small one has left the window.
    assert_eq!(SECOND + wait, MINUTE + SECOND / 4);
    let large = limit.reserve(250.0, SECOND + wait).unwrap();
    let after = SECOND + wait + SECOND;
    limit.settle(large, 250.0, after);
    let next = after + limit.reserve(1.0, after).unwrap_err();
    assert!(next >= 2 * MINUTE, "it took the whole window");
    // Its pace is paid as well: two and a half minutes' worth.
    let next = next + limit.reserve(1.0, next).unwrap_err();
    assert!(next >= SECOND + wait + 149 * SECOND);
    assert!(limit.reserve(1.0, next).is_ok());
}

#[test]
fn what_is_no_number_upsets_nothing() {
    for limit in [f64::NAN, -1.0, 0.0, f64::INFINITY, 1e-300] {
        let mut limit = RateLimit::per_minute(limit);
        for amount in [f64::NAN, -1.0, 0.0, 1.0, f64::INFINITY] {
            for now in [0, u64::MAX, 5] {
                if let Ok(reservation) = limit.reserve(amount, now) {
                    limit.settle(reservation, amount * 2.0, now);
                }
                assert!(limit.used_in_window(now) >= 0.0);
            }
        }
    }
}
