//! Rate limits hold in every minute, and calls go in order of arrival.

use proptest::prelude::*;
use sage_twin::model::{EndpointModel, ServerKind, Work};
use sage_twin::station::Station;

use super::common::*;

const MINUTE: u64 = 60 * SECOND;

/// The most that any minute has of `sends`, given as time and amount.
fn most_in_a_minute(sends: &[(u64, f64)]) -> f64 {
    let from = |start: usize| {
        let window = sends[start..].iter().take_while(|(at, _)| *at < sends[start].0 + MINUTE);
        window.map(|(_, amount)| amount).sum::<f64>()
    };
    (0..sends.len()).map(from).fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A server that takes a fixed time shows when each try was sent.
    #[test]
    fn no_minute_has_more_than_the_limits(
        requests in prop_oneof![Just(None), (1.0f64..8.0).prop_map(Some)],
        tokens in prop_oneof![Just(None), (200.0f64..2_000.0).prop_map(Some)],
        sizes in proptest::collection::vec((0u64..400, 1u32..400, 1u32..40), 50..300),
    ) {
        let service_ns = 3 * MS;
        let model = EndpointModel {
            requests_per_s: requests,
            tokens_per_s: tokens,
            concurrency: Some(50),
            aging_ns: 0,
            ..endpoint(ServerKind::Fixed { service_ns })
        };
        let mut station = Station::new(&model, &[1.0], 1).unwrap();
        let mut at = 0;
        let calls: Vec<_> = (0..).zip(&sizes).map(|(id, &(gap, prompt, answer))| {
            at += gap * MS;
            (at, call(id, [generate(prompt, answer, id)]))
        }).collect();
        let replies = run(&mut station, calls);
        prop_assert_eq!(replies.len(), sizes.len());
        let ids: Vec<u64> = replies.iter().map(|reply| reply.id).collect();
        prop_assert!(ids.is_sorted(), "in order of arrival");
        let sends = |amount: &dyn Fn(u64) -> f64| -> Vec<(u64, f64)> {
            replies.iter().map(|reply| (reply.at_ns - service_ns, amount(reply.id))).collect()
        };
        if let Some(rate) = requests {
            let most = most_in_a_minute(&sends(&|_| 1.0));
            prop_assert!(most <= rate * 60.0, "{most} in a minute of {}", rate * 60.0);
        }
        if let Some(rate) = tokens {
            let used = |id: u64| f64::from(sizes[id as usize].1 + sizes[id as usize].2);
            let most = most_in_a_minute(&sends(&used));
            prop_assert!(most <= rate * 60.0, "{most} in a minute of {}", rate * 60.0);
        }
    }
}

#[test]
fn a_pace_is_kept_and_used() {
    let model = EndpointModel {
        requests_per_s: Some(5.0),
        ..endpoint(ServerKind::Fixed { service_ns: 1 })
    };
    let mut station = Station::new(&model, &[1.0], 1).unwrap();
    let replies = run(&mut station, (0..105).map(|id| (0, call(id, [Work::Wait(1)]))).collect());
    // Five at once, then five a second.
    let last = replies.last().unwrap().at_ns as f64 / SECOND as f64;
    assert!((19.9..20.3).contains(&last), "{last} s");
    assert!(replies[4].at_ns < MS && replies[5].at_ns > 150 * MS);
}

#[test]
fn who_gives_up_makes_room_for_the_next() {
    let model = EndpointModel {
        requests_per_s: Some(1.0),
        ..endpoint(ServerKind::Fixed { service_ns: 1 })
    };
    let mut station = Station::new(&model, &[1.0], 1).unwrap();
    (0..3).for_each(|id| station.submit(call(id, [Work::Wait(1)]), 0));
    let mut out = Vec::new();
    station.advance(500 * MS, &mut out);
    assert!(station.cancel(1));
    while let Some(now) = station.next_ns() {
        station.advance(now, &mut out);
    }
    let times: Vec<(u64, u64)> = out.iter().map(|reply| (reply.id, reply.at_ns / MS)).collect();
    assert_eq!(times, [(0, 0), (2, 1_000)]);
}

#[test]
fn a_text_reserves_an_answer_that_it_will_not_get() {
    let model = EndpointModel {
        tokens_per_s: Some(300.0),
        ..endpoint(ServerKind::Fixed { service_ns: 1 })
    };
    let mut station = Station::new(&model, &[1.0], 1).unwrap();
    let calls = (0..2).map(|id| (0, call(id, [Work::Embed { tokens: 44 }]))).collect();
    let times: Vec<u64> = run(&mut station, calls).iter().map(|reply| reply.at_ns).collect();
    // A call without a limit is taken for 256 tokens more; the second one looks again when that may
    // have been given back.
    assert_eq!(times, [1, 250 * MS + 1]);
}
