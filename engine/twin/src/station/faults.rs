//! Failures on purpose: a share of the tries is answered with a status at once, as the simulator's
//! `status_500=5%` does; or whatever a [`Saboteur`] thinks of.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use sage_core::endpoint::ErrorClass;
use sage_core::upstream::Failed;

/// Status of the failures on purpose.
const FAULT_STATUS: u16 = 500;

/// What becomes of one try.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// The server takes it up so much later.
    pub delay_ns: u64,
    /// How it ends; as the server answers it otherwise.
    pub end: Option<Ending>,
}

/// How a try ends without the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It fails.
    Failed(Failed),
    /// No answer comes.
    Silence,
}

/// Decides what becomes of tries, in the order in which they are made.
pub trait Saboteur: std::fmt::Debug + Send {
    /// The fate of the try that is made at `now_ns`.
    fn fate(&mut self, now_ns: u64) -> Fate;

    /// Whether a connection can be made at `now_ns`.
    fn is_there(&self, _now_ns: u64) -> bool {
        true
    }
}

/// See the module. Its random numbers are its own, so that the same tries fail whatever else is
/// drawn.
#[derive(Debug)]
pub(super) struct Faults {
    share: f64,
    rng: Pcg32,
    failed: Failed,
    saboteur: Option<Box<dyn Saboteur>>,
}

impl Faults {
    pub(super) fn new(share: f64, seed: u64) -> Self {
        let failed =
            Failed { class: ErrorClass::Server, status: Some(FAULT_STATUS), retry_after_ns: None };
        Faults { share, rng: Pcg32::seed_from_u64(seed ^ 0x0fa0_1755), failed, saboteur: None }
    }

    /// Leave the fate of tries to `saboteur`.
    pub(super) fn leave_to(&mut self, saboteur: Box<dyn Saboteur>) {
        self.saboteur = Some(saboteur);
    }

    /// The fate of the next try.
    pub(super) fn draw(&mut self, now_ns: u64) -> Fate {
        if let Some(saboteur) = &mut self.saboteur {
            return saboteur.fate(now_ns);
        }
        let fails = self.share > 0.0 && self.rng.random_bool(self.share);
        Fate { delay_ns: 0, end: fails.then_some(Ending::Failed(self.failed)) }
    }

    /// Whether servers can be reached.
    pub(super) fn are_there(&self, now_ns: u64) -> bool {
        self.saboteur.as_ref().is_none_or(|saboteur| saboteur.is_there(now_ns))
    }

    /// Other failures than the model has: for tests of what they lead to.
    #[cfg(test)]
    pub(super) fn with(&mut self, share: f64, failed: Failed) {
        (self.share, self.failed) = (share, failed);
    }
}
