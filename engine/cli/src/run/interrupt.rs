//! Ctrl-C and SIGTERM: the first asks for a graceful stop, the second ends the run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Counts interrupts.
#[derive(Clone, Default)]
pub(crate) struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Listen from now on.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let interrupts = Interrupts::default();
        let count = Arc::clone(&interrupts.0);
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        Ok(interrupts)
    }

    /// Interrupts so far.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
