//! When a failed call is sent once more.

use rand::SeedableRng;
use rand_pcg::Pcg32;
use sage_core::endpoint::ErrorClass;
use sage_core::retry::{RetryBudget, RetryPolicy};
use sage_core::upstream::settings::{LEAST_BURST, SHED_FACTOR, USUAL_PLACES, retry_burst};
use sage_core::upstream::{Failed, Repeat, Tries};

use super::{MS, SECOND};

const BROKEN: Failed =
    Failed { class: ErrorClass::Server, status: Some(500), retry_after_ns: None };
const BUSY: Failed =
    Failed { class: ErrorClass::Throttled, status: Some(429), retry_after_ns: None };

fn delay(
    failed: Failed,
    made: u32,
    shed: u32,
    held_ns: u64,
    budget: &mut RetryBudget,
) -> Option<u64> {
    let policy = RetryPolicy { max: 2, base_ns: MS, cap_ns: 10 * MS };
    let (tries, left_ns) = (Tries { made, shed }, 60 * SECOND);
    let repeat = Repeat { failed, tries, held_ns, down: false, left_ns };
    repeat.delay_ns(&policy, budget, 0, &mut Pcg32::seed_from_u64(1))
}

#[test]
fn what_was_shed_costs_no_budget_and_counts_by_itself() {
    let mut budget = RetryBudget::of_share(0.0, 0.0);
    assert_eq!(delay(BROKEN, 1, 0, 0, &mut budget), None, "there is no budget");
    assert!(delay(BUSY, 1, 1, 0, &mut budget).is_some());
    let most = 2 * SHED_FACTOR;
    assert!(delay(BUSY, most, most, 0, &mut budget).is_some());
    assert_eq!(delay(BUSY, most + 1, most + 1, 0, &mut budget), None);
    let mut budget = RetryBudget::of_share(0.1, 10.0);
    assert!(delay(BROKEN, 9, 7, 0, &mut budget).is_some(), "two of the nine count");
    assert_eq!(delay(BROKEN, 9, 6, 0, &mut budget), None);
}

#[test]
fn what_a_server_that_went_down_cut_off_costs_no_budget() {
    let cut = Failed { status: None, ..BROKEN };
    let delay = |failed, made, down, budget: &mut RetryBudget| {
        let policy = RetryPolicy { max: 2, base_ns: MS, cap_ns: 10 * MS };
        let tries = Tries { made, shed: 0 };
        let repeat = Repeat { failed, tries, held_ns: 0, down, left_ns: SECOND };
        repeat.delay_ns(&policy, budget, 0, &mut Pcg32::seed_from_u64(1))
    };
    let mut budget = RetryBudget::of_share(0.1, 10.0);
    for _ in 0..200 {
        assert!(delay(cut, 1, true, &mut budget).is_some_and(|ns| ns <= 10 * MS));
    }
    assert_eq!(delay(cut, 3, true, &mut budget), None, "the tries of one call are bounded");
    for (failed, down) in [(cut, false), (BROKEN, true)] {
        let mut budget = RetryBudget::of_share(0.1, 10.0);
        let granted = (0..200).filter(|_| delay(failed, 1, down, &mut budget).is_some()).count();
        assert_eq!(granted, 10, "{failed:?}, down: {down}");
    }
    let mut none = RetryBudget::of_share(0.0, 10.0);
    assert_eq!(delay(cut, 1, true, &mut none), None);
}

#[test]
fn what_all_servers_ask_for_is_the_least_wait() {
    let mut budget = RetryBudget::of_share(0.1, 10.0);
    assert!(delay(BUSY, 1, 1, SECOND, &mut budget).unwrap() >= SECOND);
    assert_eq!(delay(BUSY, 1, 1, 60 * SECOND, &mut budget), None, "longer than the call has");
    let rejected = Failed { class: ErrorClass::Rejected, status: Some(400), retry_after_ns: None };
    assert_eq!(delay(rejected, 1, 0, 0, &mut budget), None);
}

#[test]
fn the_burst_is_the_number_of_places_within_reason() {
    let burst = |fixed, max| retry_burst(fixed, max) as u32;
    assert_eq!([burst(Some(1), 256), burst(Some(500), 256)], [LEAST_BURST, 500]);
    assert_eq!([burst(None, 256), burst(None, 20)], [USUAL_PLACES, 20]);
}
