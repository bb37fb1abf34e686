//! How often a signal has asked a keeper to end.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run::ignored;

/// See the module.
pub(super) struct Asked {
    signals: Signals,
    stops: usize,
    hangup: bool,
}

impl Asked {
    /// Listen from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let mut wanted = vec![SIGINT, SIGTERM];
        // `nohup` has it ignored, and that is to stay so.
        if !ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        Ok(Asked { signals: Signals::new(wanted)?, stops: 0, hangup: false })
    }

    /// So often until now. A closed terminal says so more than once, and means it once; beside a stop
    /// it is no second one, whichever is seen first.
    pub(super) fn times(&mut self) -> usize {
        for signal in self.signals.pending() {
            if signal == SIGHUP {
                self.hangup = true;
            } else {
                self.stops += 1;
            }
        }
        self.stops.max(usize::from(self.hangup))
    }
}
