//! Lets the jobs of a run begin together: when the workers of all are ready, or have failed.
//!
//! Starting workers takes the processor from those that work, and not equally long for each job. So
//! nobody begins before all are there, and the records of each job arrive from a moment that was
//! named beforehand.
//!
//! Workers that join by themselves may never come. So the first job that is ready waits for a while
//! and no longer, and who comes later begins then.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sage_dataflow::RunClock;

/// From the moment that all are ready to the first arrival: time for the word to get round.
const NOTICE_NS: u64 = 50_000_000;
/// So long the first job that is ready waits for the others.
const PATIENCE_NS: u64 = 30_000_000_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    missing: AtomicUsize,
    /// When the first was ready, on the host's clock; 0 while none is.
    first_ns: AtomicU64,
    /// On the host's clock; 0 while it is not known.
    opens_ns: AtomicU64,
}

impl Gate {
    /// A gate that so many jobs wait for.
    pub(crate) fn new(jobs: usize) -> Self {
        Gate {
            missing: AtomicUsize::new(jobs),
            first_ns: AtomicU64::new(0),
            opens_ns: AtomicU64::new(0),
        }
    }

    /// One job more is ready, or never will be; the ticket says so when it goes.
    pub(crate) fn ticket(&self) -> Ticket<'_> {
        Ticket(self)
    }

    /// When the first job begins, on the host's clock, once all are ready or have been waited for
    /// long enough at `now_ns`.
    pub(crate) fn opens_ns(&self, now_ns: u64) -> Option<u64> {
        let first_ns = self.first_ns.load(Ordering::Acquire);
        if first_ns > 0 && now_ns.saturating_sub(first_ns) > PATIENCE_NS {
            self.open(now_ns);
        }
        Some(self.opens_ns.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    /// Jobs that are not ready.
    pub(crate) fn missing(&self) -> usize {
        self.missing.load(Ordering::Acquire)
    }

    /// Open it, unless somebody has.
    fn open(&self, now_ns: u64) {
        let opens_ns = now_ns.saturating_add(NOTICE_NS);
        let _ = self.opens_ns.compare_exchange(0, opens_ns, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// A job that the others wait for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket<'g>(&'g Gate);

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now_ns = RunClock::host_ns();
        let _ = self.0.first_ns.compare_exchange(0, now_ns, Ordering::AcqRel, Ordering::Acquire);
        if self.0.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.open(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_when_the_last_ticket_is_gone() {
        let gate = Gate::new(2);
        let (ready, failed) = (gate.ticket(), gate.ticket());
        let opens = || gate.opens_ns(RunClock::host_ns());
        assert_eq!(opens(), None);
        drop(ready);
        assert_eq!(opens(), None);
        drop(failed);
        assert!(opens().is_some_and(|at| at > RunClock::host_ns()));
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let gate = Gate::new(2);
        let (ready, _never) = (gate.ticket(), gate.ticket());
        drop(ready);
        let late_ns = RunClock::host_ns() + PATIENCE_NS;
        assert_eq!(gate.opens_ns(late_ns - NOTICE_NS * 20), None);
        assert_eq!(gate.opens_ns(late_ns + 1), Some(late_ns + 1 + NOTICE_NS));
        assert_eq!((gate.opens_ns(0), gate.missing()), (Some(late_ns + 1 + NOTICE_NS), 1));
    }
}
