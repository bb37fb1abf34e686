//! How often a signal has asked a keeper to end.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::run::ignored;

/// See the module.
pub(super) struct Asked {
    signals: Signals,
    times: usize,
}

impl Asked {
    /// Listen from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let mut wanted = vec![SIGINT, SIGTERM];
        // `nohup` has it ignored, and that is to stay so.
        if !ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        Ok(Asked { signals: Signals::new(wanted)?, times: 0 })
    }

    /// So often until now. A closed terminal says so more than once, and means it once.
    pub(super) fn times(&mut self) -> usize {
        for signal in self.signals.pending() {
            self.times = if signal == SIGHUP { self.times.max(1) } else { self.times + 1 };
        }
        self.times
    }
}
