//! The run's clock on other hosts. All stamps of a run are relative to its origin, a moment on the
//! monotonic clock of the supervisor's host, which counts from that host's own start. A worker on
//! another host finds the same moment on its own clock by way of the time of day, so the two agree
//! as well as the hosts' times of day do (NTP: about a millisecond). What is left is evened out where
//! stamps become figures.

use std::time::SystemTime;

use sage_dataflow::RunClock;
use serde::{Deserialize, Serialize};

/// The origin of a run, on two clocks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// On the supervisor's monotonic clock.
    host_ns: u64,
    /// Since 1970.
    unix_ns: u64,
}

impl Origin {
    /// Of a run whose origin is `host_ns` on this host.
    pub(crate) fn new(host_ns: u64) -> Self {
        let elapsed = RunClock::host_ns().saturating_sub(host_ns);
        Origin { host_ns, unix_ns: unix_ns().saturating_sub(elapsed) }
    }

    /// What to add to a moment of the supervisor's clock for the same on this host's.
    pub(crate) fn shift_ns(&self) -> i64 {
        self.shift(RunClock::host_ns(), unix_ns())
    }

    fn shift(&self, host_now_ns: u64, unix_now_ns: u64) -> i64 {
        let there = i128::from(self.host_ns) + i128::from(unix_now_ns) - i128::from(self.unix_ns);
        (i128::from(host_now_ns) - there) as i64
    }
}

/// A moment of the supervisor's clock on this host's; what was before this host started is its start.
pub(crate) fn shifted(at_ns: u64, shift_ns: i64) -> u64 {
    at_ns.saturating_add_signed(shift_ns)
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_on_both_hosts() {
        let origin = Origin { host_ns: 1_000, unix_ns: 5_000_000 };
        // 300 ns after the origin, on a host that started later, and on one that started earlier.
        for (host_now, here) in [(900, 600), (9_000, 8_700)] {
            let shift = origin.shift(host_now, 5_000_300);
            assert_eq!(shifted(1_000, shift), here);
        }
        // On one that started after the run.
        assert_eq!(shifted(1_000, origin.shift(100, 5_000_300)), 0);
    }

    #[test]
    fn on_the_same_host_it_stays_where_it_is() {
        let now = RunClock::host_ns();
        let shift = Origin::new(now).shift_ns();
        // The two clocks are read one after the other.
        assert!(shift.unsigned_abs() < 1_000_000_000, "{shift}");
    }
}
