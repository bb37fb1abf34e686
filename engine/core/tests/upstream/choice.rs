//! The choice of servers for one call, against what each server says by itself.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg32;
use sage_core::endpoint::ErrorClass;
use sage_core::upstream::settings::limiter;
use sage_core::upstream::{
    Choice, Failed, Health, Look, Seeker, Shunned, Usable, joint_limit, limit_of_one, look, outage,
    shortest_hold_ns,
};

use super::SECOND;

const LIMIT: u32 = 2;

fn failed(class: ErrorClass, status: Option<u16>, retry_after_ns: Option<u64>) -> Failed {
    Failed { class, status, retry_after_ns }
}

/// A server to which so many things happened, at time 0.
fn server(state: u8, calls: u32, rng: &mut Pcg32) -> Health {
    let mut health = Health::new(None);
    let mut fail = |times: u32, failed| {
        for _ in 0..times {
            let _ = health.failed(failed, false, 0, rng);
        }
    };
    match state {
        0 => fail(20, failed(ErrorClass::Server, Some(500), None)),
        1 => fail(1, failed(ErrorClass::Unreachable, None, None)),
        2 => fail(3, failed(ErrorClass::Throttled, Some(429), Some(5 * SECOND))),
        3 => fail(3, failed(ErrorClass::Throttled, Some(429), Some(500 * SECOND))),
        _ => {}
    }
    for _ in 0..calls {
        health.begin();
    }
    health
}

proptest! {
    #[test]
    fn a_call_goes_only_where_it_may_and_waits_only_if_it_must(
        states in proptest::collection::vec((0u8..7, 0u32..4), 1..8),
        refused in proptest::collection::vec((0usize..8, 0u64..200), 0..4),
        last in proptest::option::of(0usize..8),
        beside in proptest::option::of(0usize..8),
        now_s in prop_oneof![Just(0u64), 1u64..10, 55u64..70],
        seed: u64,
    ) {
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut servers: Vec<Health> =
            states.iter().map(|&(state, calls)| server(state, calls, &mut rng)).collect();
        let mut shunned = Shunned::default();
        refused.iter().for_each(|&(at, until_s)| shunned.refused(at, until_s * SECOND));
        if let Some(at) = last {
            shunned.failed(at);
        }
        let (now_ns, avoid) = (now_s * SECOND, beside.or(last));
        // What each says by itself, to a call that may go there.
        let says: Vec<Option<Usable>> = (0..servers.len())
            .map(|at| {
                let mut asked = servers[at].clone();
                (shunned.wait_ns(at, now_ns) == 0).then(|| asked.usable(LIMIT, now_ns))
            })
            .collect();
        let count = |usable: Usable| says.iter().filter(|said| **said == Some(usable)).count();
        let seeker = Seeker { shunned: &shunned, beside, limit: LIMIT };
        let Look { choice, probes } = look(&mut servers[..], seeker, now_ns);
        let asked = |at: usize| probes >> at & 1 == 1;
        for (at, said) in says.iter().enumerate() {
            prop_assert_eq!(asked(at), *said == Some(Usable::Probe));
        }
        let mut taken = None;
        match choice {
            Choice::Among { servers: set, trial } => {
                let members: Vec<usize> = (0..64).filter(|at| set >> at & 1 == 1).collect();
                prop_assert!(!members.is_empty());
                let expected = if trial { Usable::Trial } else { Usable::Yes };
                for &at in &members {
                    prop_assert_eq!(says[at], Some(expected));
                }
                if trial {
                    prop_assert_eq!(members.len(), 1);
                    taken = Some(members[0]);
                } else if avoid.is_some_and(|avoid| members.contains(&avoid)) {
                    prop_assert_eq!(members.len(), 1);
                    prop_assert_eq!(count(Usable::Yes), 1);
                }
            }
            Choice::Wait(ns) => {
                prop_assert_eq!((count(Usable::Yes), count(Usable::Trial)), (0, 0));
                prop_assert!(ns > 0 && ns < u64::MAX);
            }
            Choice::Held(ns) => {
                let others = says.iter().flatten().any(|said| !matches!(said, Usable::Held(_)));
                prop_assert!(!others && ns > 0 && ns < u64::MAX);
            }
        }
        // A trial that was not taken is there for the next call.
        for (at, said) in says.iter().enumerate() {
            if *said == Some(Usable::Trial) && taken != Some(at) {
                prop_assert_eq!(servers[at].usable(LIMIT, now_ns), Usable::Trial);
            }
        }
    }
}

#[test]
fn what_is_down_has_no_part_in_the_limit_unless_all_are() {
    let mut rng = Pcg32::seed_from_u64(1);
    let mut servers = [(); 3].map(|()| Health::new(Some(limiter(10, None))));
    assert_eq!(joint_limit(&mut servers[..]), 30);
    let unsent = failed(ErrorClass::Unreachable, None, None);
    let _ = servers[1].failed(unsent, false, 0, &mut rng);
    assert_eq!(joint_limit(&mut servers[..]), 20);
    assert_eq!(limit_of_one(Some(9), &mut servers[..]), 5);
    assert_eq!(limit_of_one(None, &mut servers[..]), u32::MAX);
    assert_eq!(limit_of_one(Some(9), &mut servers[..1]), u32::MAX);
    for at in [0, 2] {
        let _ = servers[at].failed(unsent, false, 0, &mut rng);
    }
    assert_eq!(joint_limit(&mut servers[..]), 30);
    assert_eq!(limit_of_one(Some(9), &mut servers[..]), 9);
}

#[test]
fn a_call_without_a_server_is_told_what_was_wrong() {
    let mut rng = Pcg32::seed_from_u64(1);
    let [dead, busy, ill] = [1, 2, 0].map(|state| server(state, 0, &mut rng));
    let class = |servers: &[&Health]| {
        let mut servers: Vec<Health> = servers.iter().map(|&health| health.clone()).collect();
        outage(&mut servers[..], 0)
    };
    assert_eq!(class(&[&dead]), ErrorClass::Unreachable);
    assert_eq!(class(&[&dead, &busy]), ErrorClass::Throttled);
    assert_eq!(class(&[&dead, &busy, &ill]), ErrorClass::Server);
}

#[test]
fn a_call_waits_for_the_server_that_asked_for_least() {
    let mut rng = Pcg32::seed_from_u64(1);
    let mut servers = [2, 3].map(|state| server(state, 0, &mut rng));
    let mut shunned = Shunned::default();
    assert_eq!(shortest_hold_ns(&mut servers[..], &shunned, SECOND), 4 * SECOND);
    shunned.refused(0, 200 * SECOND);
    assert_eq!(shortest_hold_ns(&mut servers[..], &shunned, SECOND), 59 * SECOND);
}
