//! `Log`: where events go out, and what is counted on the way.

use sage_core::event::Event;

/// Hands events to the observer.
pub(crate) struct Log<'o> {
    observe: &'o mut dyn FnMut(&Event),
    /// Events so far.
    pub(crate) events: u64,
}

impl<'o> Log<'o> {
    pub(crate) fn new(observe: &'o mut dyn FnMut(&Event)) -> Self {
        Log { observe, events: 0 }
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.events += 1;
        (self.observe)(&event);
    }
}
