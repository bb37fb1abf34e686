//! Ctrl-C and SIGTERM: the first asks for a graceful stop, the second ends the run at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;

/// Counts interrupts; clones count the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupts(Arc<Heard>);

#[derive(Debug, Default)]
struct Heard {
    count: AtomicUsize,
    /// Whether the second ends the process.
    last: AtomicBool,
}

/// The one that listens, once somebody asked.
static HEARD: Mutex<Option<Interrupts>> = Mutex::new(None);

impl Interrupts {
    /// Listen from now on. A process listens once, however many runs it makes: a signal is for the
    /// user's command and not for one of its runs, so those that come later hear of it, too.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interrupts) = &*heard {
            return Ok(interrupts.clone());
        }
        let interrupts = Interrupts::default();
        let heard_now = Arc::clone(&interrupts.0);
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                let before = heard_now.count.fetch_add(1, Ordering::Relaxed);
                if before > 0 && heard_now.last.load(Ordering::Relaxed) {
                    crate::jobs::cut_off(Exit::Interrupted);
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
            }
        })?;
        *heard = Some(interrupts.clone());
        Ok(interrupts)
    }

    /// Interrupts so far.
    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Whether the second interrupt ends the process on the spot, for work that looks at interrupts
    /// only now and then and leaves nothing to be tidied up.
    pub(crate) fn second_is_last(&self, last: bool) {
        self.0.last.store(last, Ordering::Relaxed);
    }
}
