//! The rules in force, since when, and how many calls they have seen.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Fate, Faults, RetryAfter};

#[derive(Debug)]
struct State {
    faults: Faults,
    /// Virtual time at which they were set.
    since_ns: u64,
    calls: u64,
}

/// The rules in force; they can be replaced while calls run.
#[derive(Debug)]
pub(in super::super) struct Active {
    seed: u64,
    state: Mutex<State>,
}

/// What is in force, for people.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Report {
    pub(in super::super) rules: String,
    pub(in super::super) since_ns: u64,
    pub(in super::super) calls: u64,
}

impl Active {
    /// `faults` from virtual time 0 on.
    pub(in super::super) fn new(faults: Faults, seed: u64) -> Self {
        Active { seed, state: Mutex::new(State { faults, since_ns: 0, calls: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replace the rules. Calls are counted anew, so that the same rules have the same effects.
    pub(in super::super) fn set(&self, faults: Faults, now: u64) {
        *self.lock() = State { faults, since_ns: now, calls: 0 };
    }

    /// What happens to the next call.
    pub(in super::super) fn next(&self) -> Fate {
        let mut state = self.lock();
        state.calls += 1;
        state.faults.fate(self.seed, state.calls)
    }

    /// Whether the server cannot be reached.
    pub(in super::super) fn outage(&self, now: u64) -> bool {
        let state = self.lock();
        let since = Duration::from_nanos(now.saturating_sub(state.since_ns));
        state.faults.outages.iter().any(|window| window.holds(since))
    }

    /// Whether the server has not started yet.
    pub(in super::super) fn starting(&self, now: u64) -> bool {
        let state = self.lock();
        Duration::from_nanos(now.saturating_sub(state.since_ns)) < state.faults.slow_start
    }

    /// What refusals say about when to come back; `None` leaves it to them.
    pub(in super::super) fn retry_after(&self) -> Option<RetryAfter> {
        self.lock().faults.retry_after
    }

    pub(in super::super) fn report(&self) -> Report {
        let state = self.lock();
        let rules = state.faults.text().to_owned();
        Report { rules, since_ns: state.since_ns, calls: state.calls }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn windows_count_from_when_the_rules_were_set() {
        let active = Active::new(Faults::parse("slow_start=2s").unwrap(), 0);
        assert!(active.starting(S) && !active.starting(2 * S));
        active.set(Faults::parse("outage=0s+5s").unwrap(), 10 * S);
        assert!(active.outage(10 * S) && active.outage(14 * S) && !active.outage(15 * S));
        active.set(Faults::default(), 11 * S);
        assert!(!active.outage(12 * S));
    }

    #[test]
    fn the_same_rules_have_the_same_effects_again() {
        let faults = Faults::parse("drop=30%,stall=20%").unwrap();
        let active = Active::new(faults.clone(), 5);
        let fates = || (0..50).map(|_| active.next()).collect::<Vec<_>>();
        let first = fates();
        assert_ne!(first, fates());
        active.set(faults, 0);
        assert_eq!(first, fates());
        assert_eq!(active.report().calls, 50);
    }
}
