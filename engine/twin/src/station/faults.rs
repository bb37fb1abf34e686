//! Failures on purpose: a share of the tries is answered with a status at once, as the simulator's
//! `status_500=5%` does.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use sage_core::endpoint::ErrorClass;
use sage_core::upstream::Failed;

/// Status of the failures on purpose.
const FAULT_STATUS: u16 = 500;

/// See the module. Its random numbers are its own, so that the same tries fail whatever else is
/// drawn.
#[derive(Debug)]
pub(super) struct Faults {
    share: f64,
    rng: Pcg32,
    failed: Failed,
}

impl Faults {
    pub(super) fn new(share: f64, seed: u64) -> Self {
        let failed =
            Failed { class: ErrorClass::Server, status: Some(FAULT_STATUS), retry_after_ns: None };
        Faults { share, rng: Pcg32::seed_from_u64(seed ^ 0x0fa0_1755), failed }
    }

    /// How the next try fails, if it does.
    pub(super) fn draw(&mut self) -> Option<Failed> {
        (self.share > 0.0 && self.rng.random_bool(self.share)).then_some(self.failed)
    }

    /// Other failures than the model has: for tests of what they lead to.
    #[cfg(test)]
    pub(super) fn with(&mut self, share: f64, failed: Failed) {
        (self.share, self.failed) = (share, failed);
    }
}
