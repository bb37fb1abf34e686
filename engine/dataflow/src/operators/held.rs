//! `Held`: the one capability an operator keeps while it holds tasks.

use timely::dataflow::operators::{Capability, InputCapability};

use super::Time;

/// Keeps a capability at the least time of anything the operator holds, and drops it when the
/// operator holds nothing. Tasks leave at that time, which their own time never precedes.
#[derive(Debug, Default)]
pub(crate) struct Held(Option<Capability<Time>>);

impl Held {
    /// Something came in at `input`; the capability is for output `port`.
    pub(crate) fn add(&mut self, input: &InputCapability<Time>, port: usize) {
        if let Some(more) = input.retain_least(port) {
            let earlier = self.0.as_ref().is_none_or(|held| more.time() < held.time());
            if earlier {
                self.0 = Some(more);
            }
        }
    }

    /// The capability, while something is held.
    pub(crate) fn get(&self) -> Option<&Capability<Time>> {
        self.0.as_ref()
    }

    /// Nothing is held any more.
    pub(crate) fn release(&mut self) {
        self.0 = None;
    }
}
