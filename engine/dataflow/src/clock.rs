//! The run's clock: nanoseconds since the run began, the same for all processes of a host.

use rustix::time::{ClockId, clock_gettime};

/// Reads the host's monotonic clock relative to the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    origin_ns: u64,
}

impl RunClock {
    /// A clock that reads 0 at `origin_ns` of the host's monotonic clock.
    pub fn new(origin_ns: u64) -> Self {
        RunClock { origin_ns }
    }

    /// The host's monotonic clock, for the supervisor to choose the origin.
    pub fn host_ns() -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    /// A time of the host's clock on the run's.
    pub fn of_host(self, host_ns: u64) -> u64 {
        host_ns.saturating_sub(self.origin_ns)
    }

    /// Nanoseconds since the run began.
    pub fn now_ns(self) -> u64 {
        self.of_host(Self::host_ns())
    }
}
