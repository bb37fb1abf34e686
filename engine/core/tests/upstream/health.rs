//! One server's health: what reports do to the limit, to trials and to those who wait.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg32;
use sage_core::endpoint::ErrorClass;
use sage_core::limiter::{Sample, ServerLoad};
use sage_core::retry::UpstreamState;
use sage_core::upstream::settings::{LONG_NS, RUN_OF_FAILURES, TRIP, limiter};
use sage_core::upstream::{Effect, Failed, Health, News, Usable, UsualTime};

use super::{MS, SECOND};

const BROKEN: Failed =
    Failed { class: ErrorClass::Server, status: Some(500), retry_after_ns: None };

fn busy(retry_after_ns: Option<u64>) -> Failed {
    Failed { class: ErrorClass::Throttled, status: Some(429), retry_after_ns }
}

/// A server that has failed so many calls that it is left alone, at `now_ns`.
fn tripped(now_ns: u64, rng: &mut Pcg32) -> Health {
    let mut health = Health::new(None);
    for n in 1..=TRIP.failures {
        let effect = health.failed(BROKEN, false, now_ns, rng);
        assert_eq!(effect, Effect { adjust: n == TRIP.failures, news: true });
    }
    health
}

/// When the next trial may go, from `now_ns` on.
fn wait(health: &mut Health, now_ns: u64) -> u64 {
    match health.usable(8, now_ns) {
        Usable::Down(ns) => ns,
        other => panic!("{other:?} at {now_ns}"),
    }
}

proptest! {
    /// Whatever moves the limit, the driver hears of it at the next steering, until it tells the
    /// line: so the line knows the limit after every report.
    #[test]
    fn the_line_knows_the_limit_after_every_report(
        steps in proptest::collection::vec((0u8..6, 0u64..2_000, 1u32..64), 1..300),
        max in 1u32..64,
        seed: u64,
    ) {
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut health = Health::new(Some(limiter(max, None)));
        let mut line = health.tell();
        let mut now_ns = 0;
        for (step, pause_ms, count) in steps {
            now_ns += pause_ms * MS;
            let news = match step {
                0 | 1 => News::Completed(Sample {
                    latency_ns: u64::from(count) * 10 * MS,
                    output_tokens: 20,
                    in_flight: count,
                    ..Sample::default()
                }),
                2 => {
                    let (running, waiting) = (f64::from(count), f64::from(count) * 2.0);
                    News::Server(ServerLoad { running, waiting, ..ServerLoad::default() })
                }
                3 => {
                    let _ = health.failed(busy(Some(SECOND)), false, now_ns, &mut rng);
                    News::Nothing
                }
                4 => {
                    let _ = health.failed(BROKEN, false, now_ns, &mut rng);
                    News::Nothing
                }
                _ => {
                    let silence = (LONG_NS, UsualTime::default());
                    prop_assert!(health.timed_out(silence, false, now_ns, &mut rng).is_some());
                    News::Nothing
                }
            };
            if health.steer(news, count, now_ns) {
                line = health.tell();
            }
            prop_assert_eq!(line, health.limit());
            prop_assert!((1..=max).contains(&line.unwrap()));
        }
    }

    /// Nobody is let in above the limit, and one trial at a time.
    #[test]
    fn no_more_are_let_in_than_the_limit_and_one_trial(
        steps in proptest::collection::vec((0u8..5, 0u64..600), 1..300),
        limit in 1u32..5,
        seed: u64,
    ) {
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut health = Health::new(None);
        let (mut now_ns, mut out): (u64, Vec<(bool, u64)>) = (0, Vec::new());
        for (step, pause_ms) in steps {
            now_ns += pause_ms * MS;
            if step < 2 {
                let usable = health.usable(limit, now_ns);
                let trial = usable == Usable::Trial;
                if trial || usable == Usable::Yes {
                    // A lost trial is replaced after its lease.
                    let young = |&(trial, at): &(bool, u64)| trial && now_ns < at + 2 * SECOND;
                    prop_assert!(!trial || !out.iter().any(young));
                    prop_assert!(trial || out.len() < limit as usize);
                    prop_assert_eq!(health.begin() as usize, out.len() + 1);
                    out.push((trial, now_ns));
                }
            } else if let Some((trial, _)) = out.pop() {
                match step {
                    2 => {
                        let _ = health.answers();
                        health.succeeded();
                    }
                    3 => { let _ = health.failed(busy(Some(200 * SECOND)), trial, now_ns, &mut rng); }
                    _ => { let _ = health.failed(BROKEN, trial, now_ns, &mut rng); }
                }
                health.end();
            }
            prop_assert_eq!(health.in_flight() as usize, out.len());
        }
    }
}

#[test]
fn an_overload_is_told_to_the_line() {
    let mut rng = Pcg32::seed_from_u64(1);
    let mut health = Health::new(Some(limiter(64, None)));
    assert_eq!(health.tell(), Some(32));
    assert!(!health.steer(News::Nothing, 0, SECOND), "it knows");
    let _ = health.failed(busy(None), false, SECOND, &mut rng);
    assert_eq!(health.limit(), Some(16));
    assert!(health.steer(News::Nothing, 0, SECOND), "it does not know");
    assert!(health.steer(News::Nothing, 0, SECOND), "nor now: nobody has told it");
    assert_eq!(health.tell(), Some(16));
    assert!(!health.steer(News::Nothing, 0, SECOND));
}

#[test]
fn trials_that_time_out_grow_apart_and_those_without_news_do_not() {
    let mut rng = Pcg32::seed_from_u64(2);
    let mut now_ns = 0;
    let mut health = tripped(now_ns, &mut rng);
    let mut longest_ns = TRIP.base_ns;
    for _ in 0..8 {
        let wait_ns = wait(&mut health, now_ns);
        assert!((longest_ns / 2..=longest_ns).contains(&wait_ns), "{wait_ns}");
        now_ns += wait_ns;
        assert_eq!(health.usable(8, now_ns), Usable::Trial);
        // Its client went away, so the next may try at once; and then a client in a hurry.
        health.no_news(now_ns);
        assert_eq!(health.usable(8, now_ns), Usable::Trial);
        let short = (LONG_NS - 1, UsualTime::default());
        assert_eq!(health.timed_out(short, true, now_ns, &mut rng), None);
        health.no_news(now_ns);
        assert_eq!(health.usable(8, now_ns), Usable::Trial);
        now_ns += LONG_NS;
        let long = (LONG_NS, UsualTime::default());
        let effect = health.timed_out(long, true, now_ns, &mut rng);
        assert_eq!(effect, Some(Effect { adjust: false, news: true }));
        longest_ns = (longest_ns * 2).min(TRIP.cap_ns);
    }
    assert_eq!(longest_ns, TRIP.cap_ns);
    assert_eq!(health.answers(), Effect { adjust: true, news: true });
    assert_eq!(health.usable(8, now_ns), Usable::Yes);
}

#[test]
fn a_call_from_before_that_times_out_does_not_end_a_trial() {
    let mut rng = Pcg32::seed_from_u64(3);
    let mut health = tripped(0, &mut rng);
    assert_eq!(health.usable(8, TRIP.base_ns), Usable::Trial);
    let long = (LONG_NS, UsualTime::default());
    assert!(health.timed_out(long, false, SECOND, &mut rng).is_some());
    assert!(wait(&mut health, SECOND) > 100 * SECOND, "the trial is still out");
}

#[test]
fn a_quiet_has_an_end_and_one_call_tries_what_comes_then() {
    let mut rng = Pcg32::seed_from_u64(4);
    let mut health = Health::new(None);
    for _ in 0..2 {
        let _ = health.failed(busy(Some(600 * SECOND)), false, 0, &mut rng);
        assert_eq!(health.usable(8, 0), Usable::Yes);
    }
    let _ = health.failed(busy(Some(600 * SECOND)), false, 0, &mut rng);
    assert_eq!(health.usable(8, 0), Usable::Held(60 * SECOND));
    assert_eq!(health.usable(8, 60 * SECOND), Usable::Trial);
    assert!(matches!(health.usable(8, 60 * SECOND), Usable::Held(_)));
    health.no_news(60 * SECOND);
    assert_eq!(health.usable(8, 60 * SECOND), Usable::Trial);
    let _ = health.failed(busy(Some(SECOND)), true, 60 * SECOND, &mut rng);
    assert_eq!(health.usable(8, 60 * SECOND), Usable::Held(SECOND));
    assert_eq!(health.usable(8, 61 * SECOND), Usable::Yes);
    assert!(!health.answers().news);
}

#[test]
fn a_server_that_finds_fault_or_says_when_to_come_back_works() {
    let failed = |class, status, retry_after_ns| Failed { class, status, retry_after_ns };
    for (works, failed) in [
        (true, failed(ErrorClass::Rejected, Some(400), None)),
        (true, busy(None)),
        (true, failed(ErrorClass::Server, Some(503), Some(SECOND))),
        (true, failed(ErrorClass::Protocol, Some(302), None)),
        (false, failed(ErrorClass::Server, Some(503), None)),
        (false, failed(ErrorClass::Server, None, None)),
        (false, failed(ErrorClass::Protocol, None, None)),
        (false, failed(ErrorClass::Timeout, None, None)),
    ] {
        let mut rng = Pcg32::seed_from_u64(5);
        let mut health = tripped(0, &mut rng);
        let effect = health.failed(failed, false, 1, &mut rng);
        assert_eq!(
            (effect.adjust, health.state() == UpstreamState::Up),
            (works, works),
            "{failed:?}"
        );
    }
}

#[test]
fn only_a_run_of_failures_says_that_a_server_cannot_keep_up() {
    let mut rng = Pcg32::seed_from_u64(6);
    let mut health = Health::new(Some(limiter(64, None)));
    for n in 1..=RUN_OF_FAILURES {
        assert_eq!((health.failures_in_row(), health.limit()), (n - 1, Some(32)));
        let _ = health.failed(BROKEN, false, SECOND, &mut rng);
    }
    assert_eq!(health.limit(), Some(16));
    health.succeeded();
    assert_eq!(health.failures_in_row(), 0);
}

#[test]
fn a_server_that_cannot_be_reached_is_probed() {
    let mut rng = Pcg32::seed_from_u64(7);
    let unsent = Failed { class: ErrorClass::Unreachable, status: None, retry_after_ns: None };
    let mut health = Health::new(None);
    let effect = health.failed(unsent, false, 0, &mut rng);
    assert_eq!(effect, Effect { adjust: true, news: true });
    let wait_ns = wait(&mut health, 0);
    assert_eq!(health.usable(8, wait_ns), Usable::Probe);
    assert_eq!(health.failures_in_row(), 0, "it has not seen the try");
    assert_eq!(health.reached(), Effect { adjust: true, news: true });
    assert_eq!(health.reached(), Effect::default());
}
