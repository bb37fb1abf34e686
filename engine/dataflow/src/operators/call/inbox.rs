//! `Inbox`: answers on their way from the endpoint's threads to the operator.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use sage_core::endpoint::CallOutcome;
use timely::scheduling::SyncActivator;

/// Bounded by the calls in flight: one entry for each.
pub(super) struct Inbox {
    answers: Mutex<Vec<(u64, CallOutcome)>>,
    /// Whether the operator was woken and has not looked yet; saves waking it once per answer.
    woken: AtomicBool,
    wake: SyncActivator,
}

impl Inbox {
    pub(super) fn new(wake: SyncActivator) -> Self {
        Inbox { answers: Mutex::new(Vec::new()), woken: AtomicBool::new(false), wake }
    }

    /// Put an answer in, from any thread.
    pub(super) fn put(&self, call: u64, outcome: CallOutcome) {
        // A thread that panicked while it pushed left the vector whole.
        self.answers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push((call, outcome));
        if !self.woken.swap(true, Ordering::AcqRel) {
            // The worker may have ended; then nobody waits for the answer.
            let _ = self.wake.activate();
        }
    }

    /// Take all answers. The flag falls first: an answer that comes now wakes the operator again.
    pub(super) fn take(&self) -> Vec<(u64, CallOutcome)> {
        self.woken.store(false, Ordering::Release);
        std::mem::take(&mut self.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
