//! What jobs get from a shared upstream, measured.

use proptest::prelude::*;
use sage_core::endpoint::Lane;

use super::upstream::{Event, Job, SECOND, What, mean, run, variation, windows};

/// Places, and what they do together in a second.
const PLACES: u32 = 24;
const TOKENS_PER_S: f64 = 24_000.0;

/// Completed tokens a second from `from_s` on.
fn rate(events: &[Event], job: usize, from_s: u64) -> f64 {
    mean(&windows(events, job, from_s, 20)) / 20.0
}

/// Largest difference, over all intervals, of what two jobs got for their weight.
fn lag(events: &[Event], jobs: &[Job], pair: (usize, usize), what: What) -> f64 {
    let (mut ahead, mut least, mut most) = (0.0f64, 0.0f64, 0.0f64);
    for event in events.iter().filter(|event| event.what == what && event.at_ns >= SECOND) {
        let sign = match event.job {
            job if job == pair.0 => 1.0,
            job if job == pair.1 => -1.0,
            _ => continue,
        };
        ahead += sign * event.cost / jobs[event.job].share.weight;
        (least, most) = (least.min(ahead), most.max(ahead));
    }
    most - least
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Between two jobs that always wait: granted work per weight differs by at most
    /// c_f/w_f + c_g/w_g, completed by at most (D + 1) times that. And between two grants of a job
    /// another has at most (c_f/w_f) / (least c_g/w_g) + 1, so every wait is bounded.
    #[test]
    fn lag_and_wait_are_bounded(
        places in 1u32..12,
        loads in prop::collection::vec((0.2f64..5.0, 1.0f64..2_000.0, 1.0f64..3.0), 2..5),
    ) {
        let jobs: Vec<Job> = loads
            .iter()
            .map(|&(weight, least, times)| {
                Job::new(2 * places + 4, (least.ceil(), (least * times).ceil())).weight(weight)
            })
            .collect();
        let events = run(&jobs, places, 10_000, 60);
        let span = |job: usize| jobs[job].cost.1 / jobs[job].share.weight;
        for f in 0..jobs.len() {
            for g in (0..jobs.len()).filter(|&g| g != f) {
                let bound = span(f) + span(g);
                let granted = lag(&events, &jobs, (f, g), What::Granted);
                prop_assert!(granted <= bound * (1.0 + 1e-9), "{granted} above {bound}");
                let done = lag(&events, &jobs, (f, g), What::Done);
                let bound = f64::from(places + 1) * bound;
                prop_assert!(done <= bound * (1.0 + 1e-9), "{done} above {bound}");

                let most = (span(f) / (jobs[g].cost.0 / jobs[g].share.weight)).floor() + 1.0;
                let mut between = 0.0;
                let granted = |e: &&Event| e.what == What::Granted && e.at_ns >= SECOND;
                for event in events.iter().filter(granted) {
                    if event.job == g {
                        between += 1.0;
                        prop_assert!(between <= most, "{between} calls of another, not {most}");
                    } else if event.job == f {
                        between = 0.0;
                    }
                }
            }
        }
    }
}

#[test]
fn weights_are_respected_within_five_percent_over_twenty_seconds() {
    let weights = [1.0, 2.0, 5.0];
    let jobs = weights.map(|weight| Job::new(64, (200.0, 600.0)).weight(weight));
    let events = run(&jobs, PLACES, 1_000, 220);
    for (job, weight) in weights.iter().enumerate() {
        for window in windows(&events, job, 20, 20) {
            let part = window / (20.0 * TOKENS_PER_S) / (weight / 8.0);
            assert!((0.95..1.05).contains(&part), "weight {weight}: {part} of its share");
        }
    }
}

/// Two victims and a job with 400 calls outstanding, each several times as large as theirs. Also
/// with a line that the flood fills alone.
#[test]
fn a_flood_takes_nothing_from_the_others() {
    for capacity in [1_000, 200] {
        let jobs = [
            Job::new(32, (700.0, 1_800.0)),
            Job::new(32, (200.0, 500.0)),
            Job { from_ns: 10 * SECOND, ..Job::new(400, (4_000.0, 8_000.0)) },
        ];
        let events = run(&jobs, PLACES, capacity, 440);
        for victim in 0..2 {
            let part = rate(&events, victim, 40) / (TOKENS_PER_S / 3.0);
            let variation = variation(&windows(&events, victim, 40, 20));
            println!(
                "capacity {capacity}, victim {victim}: {part:.3} of its share, variation {variation:.3}"
            );
            assert!(part >= 0.85, "{part} of its fair share");
            assert!(variation <= 0.10, "varies by {variation}");
        }
    }
}

#[test]
fn marking_everything_control_gains_nothing() {
    let vain = Job { lane: Lane::Control, ..Job::new(64, (200.0, 600.0)) };
    let modest = Job { lane: Lane::Batch, ..Job::new(64, (200.0, 600.0)) };
    let events = run(&[vain, modest], PLACES, 1_000, 220);
    let part = rate(&events, 0, 20) / (TOKENS_PER_S / 2.0);
    assert!((0.97..1.03).contains(&part), "{part} of its fair share");
}

#[test]
fn a_low_estimate_does_not_pay_and_a_high_one_does_not_cost() {
    let claims = [0.2, 1.0, 3.0];
    let jobs = claims.map(|claims| Job { claims, ..Job::new(64, (200.0, 600.0)) });
    let events = run(&jobs, PLACES, 1_000, 220);
    for (job, claims) in claims.iter().enumerate() {
        let part = rate(&events, job, 20) / (TOKENS_PER_S / 3.0);
        println!("claims {claims}: {part:.3} of its share");
        assert!((0.95..1.05).contains(&part), "{part} of its share");
    }
}

#[test]
fn a_reserve_is_kept_and_lent() {
    let small = || Job::new(64, (200.0, 600.0)).weight(0.1).reserve(12);
    let large = || Job::new(64, (200.0, 600.0)).weight(10.0);
    // It needs its reserve and gets it, whatever the weights.
    let events = run(&[small(), large()], PLACES, 1_000, 220);
    let part = rate(&events, 0, 20) / TOKENS_PER_S;
    assert!((0.48..0.52).contains(&part), "{part}");
    // It does not need it: the places are used by the other.
    let idle = Job { outstanding: 2, ..small() };
    let events = run(&[idle, large()], PLACES, 1_000, 220);
    let part = rate(&events, 1, 20) / TOKENS_PER_S;
    assert!(part > 0.9, "{part}");
}

#[test]
fn reserves_that_ask_for_everything_leave_a_place_for_the_rest() {
    let greedy = || Job::new(64, (200.0, 600.0)).reserve(100);
    let jobs = [greedy(), greedy(), Job::new(64, (200.0, 600.0))];
    let events = run(&jobs, PLACES, 1_000, 220);
    for window in windows(&events, 2, 20, 20) {
        let places = window / (20.0 * 1_000.0);
        assert!((0.9..2.1).contains(&places), "{places} places");
    }
}

#[test]
fn a_newcomer_is_served_after_one_call_of_each_at_most() {
    let mut jobs: Vec<Job> = (0..5).map(|_| Job::new(64, (200.0, 600.0))).collect();
    jobs.push(Job { from_ns: 30 * SECOND, ..Job::new(1, (500.0, 500.0)) });
    let events = run(&jobs, PLACES, 1_000, 40);
    let granted = events.iter().filter(|event| event.what == What::Granted);
    let before = granted.clone().filter(|event| event.at_ns >= 30 * SECOND);
    let others = before.take_while(|event| event.job != 5).count();
    assert!(granted.filter(|event| event.job == 5).count() > 5);
    assert!(others <= 5, "{others} calls of five jobs went before it");
}
