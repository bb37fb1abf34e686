//! Lets the jobs of a run begin together: when the workers of all are ready, or have failed.
//!
//! Starting workers takes the processor from those that work, and not equally long for each job. So
//! nobody begins before all are there, and the records of each job arrive from a moment that was
//! named beforehand.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sage_dataflow::RunClock;

/// From the moment that all are ready to the first arrival: time for the word to get round.
const NOTICE_NS: u64 = 50_000_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    missing: AtomicUsize,
    /// On the host's clock; 0 while it is not known.
    opens_ns: AtomicU64,
}

impl Gate {
    /// A gate that so many jobs wait for.
    pub(crate) fn new(jobs: usize) -> Self {
        Gate { missing: AtomicUsize::new(jobs), opens_ns: AtomicU64::new(0) }
    }

    /// One job more is ready, or never will be; the ticket says so when it goes.
    pub(crate) fn ticket(&self) -> Ticket<'_> {
        Ticket(self)
    }

    /// When the first job begins, on the host's clock, once all are ready.
    pub(crate) fn opens_ns(&self) -> Option<u64> {
        Some(self.opens_ns.load(Ordering::Acquire)).filter(|at| *at > 0)
    }
}

/// A job that the others wait for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket<'g>(&'g Gate);

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.0.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.opens_ns.store(RunClock::host_ns() + NOTICE_NS, Ordering::Release);
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
        assert_eq!(gate.opens_ns(), None);
        drop(ready);
        assert_eq!(gate.opens_ns(), None);
        drop(failed);
        assert!(gate.opens_ns().is_some_and(|at| at > RunClock::host_ns()));
    }
}
