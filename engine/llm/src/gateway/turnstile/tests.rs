//! Whatever becomes of a call, the accounts add up.

use super::account::{MAX_JOBS, OTHER_JOBS};
use super::pass::Stage;
use super::*;

fn line(limit: u32, queue: u32) -> Arc<Turnstile> {
    let upstream = Upstream { queue, ..Upstream::new("u", "http://h:1", "m") };
    Arc::new(Turnstile::new(limit, &upstream, &[], JobShares::default()))
}

fn enter(turnstile: &Arc<Turnstile>, job: &str) -> Option<Pass> {
    let visitor = Visitor {
        job,
        client: None,
        stage: Some(0),
        lane: Lane::Normal,
        input: 10.0,
        limit: None,
        kind: 0,
    };
    turnstile.enter(visitor).ok()
}

fn adds_up(turnstile: &Turnstile) -> Counters {
    let total = turnstile.snapshot().total;
    let known = total.ok + total.errors.sum() + total.in_flight + total.queued;
    assert_eq!(total.calls, known);
    total
}

#[test]
fn a_permit_given_to_a_call_that_is_leaving_goes_on_to_the_next() {
    let turnstile = line(1, 10);
    let first = enter(&turnstile, "a").unwrap();
    let second = enter(&turnstile, "a").unwrap();
    let mut third = enter(&turnstile, "a").unwrap();
    assert_eq!(adds_up(&turnstile).queued, 2);
    first.leave(Ok(Usage::default()));
    // The second has the permit now and has not noticed.
    drop(second);
    let Stage::Waiting(woken) = third.stage() else { panic!("it was told to wait") };
    assert_eq!(woken.try_recv(), Ok(()));
    let total = adds_up(&turnstile);
    assert_eq!((total.ok, total.errors.cancelled, total.in_flight), (1, 1, 1));
}

#[test]
fn every_stage_can_be_left() {
    let turnstile = line(1, 10);
    let mut paused = enter(&turnstile, "a").unwrap();
    paused.pause();
    let holding = enter(&turnstile, "a").unwrap();
    let waiting = enter(&turnstile, "a").unwrap();
    assert_eq!(adds_up(&turnstile).queued, 2);
    drop((waiting, paused, holding));
    let total = adds_up(&turnstile);
    assert_eq!((total.in_flight, total.queued, total.errors.cancelled), (0, 0, 3));
    assert_eq!(turnstile.load(), (0, 0));
    assert!(turnstile.lock().waiting.is_empty());
}

#[test]
fn the_number_of_accounts_is_bounded() {
    let turnstile = line(1, 0);
    for job in 0..MAX_JOBS + 10 {
        drop(enter(&turnstile, &job.to_string()));
    }
    let jobs = turnstile.snapshot().jobs;
    assert_eq!(jobs.len(), MAX_JOBS + 1);
    assert_eq!(jobs[OTHER_JOBS].calls, 10);
}

#[test]
fn a_second_try_takes_a_free_place_and_gives_it_back() {
    let turnstile = line(2, 10);
    let mut pass = enter(&turnstile, "a").unwrap();
    let extra = pass.extra().expect("a place is free");
    assert!(pass.extra().is_none(), "none is free any more");
    assert_eq!(turnstile.load(), (2, 0));
    let waiting = enter(&turnstile, "b").unwrap();
    drop(extra);
    assert_eq!(turnstile.load(), (2, 0), "who waited has it");
    drop((pass, waiting));
    let total = adds_up(&turnstile);
    assert_eq!((total.hedges, total.attempts), (1, 1));
}

#[test]
fn tokens_and_cost_are_booked_per_stage() {
    let price = Price { input_per_mtok: 1.0, output_per_mtok: 2.0 };
    let upstream = Upstream { queue: 1, price, ..Upstream::new("u", "http://h:1", "m") };
    let turnstile = Arc::new(Turnstile::new(1, &upstream, &[], JobShares::default()));
    let usage = Usage { prompt_tokens: 1_000_000, completion_tokens: 500_000 };
    enter(&turnstile, "a").unwrap().leave(Ok(usage));
    turnstile.answered_before("a", Some(0), 3);
    let snapshot = turnstile.snapshot();
    let stage = &snapshot.stages[0];
    assert_eq!((&*stage.job, stage.stage, stage.ok, stage.cache_hits), ("a", 0, 2, 3));
    assert_eq!((stage.prompt_tokens, stage.cost), (1_000_000, 2.0));
    assert_eq!((snapshot.total.calls, snapshot.total.ok, snapshot.total.cache_hits), (2, 2, 3));
    assert!((snapshot.total.cost - 2.0).abs() < 1e-9);
}
