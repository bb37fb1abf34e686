//! Virtual time: wall time since the server's start, times its speed.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    speed: f64,
}

impl Clock {
    pub(super) fn start(speed: f64) -> Self {
        Clock { origin: Instant::now(), speed }
    }

    /// Virtual nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        (self.origin.elapsed().as_nanos() as f64 * self.speed) as u64
    }

    /// When the wall clock shows virtual time `at_ns`.
    pub(super) fn wall(&self, at_ns: u64) -> Instant {
        self.origin + Duration::from_nanos((at_ns as f64 / self.speed) as u64)
    }

    /// How long `span` of virtual time lasts.
    pub(super) fn scaled(&self, span: Duration) -> Duration {
        Duration::from_nanos((span.as_nanos() as f64 / self.speed) as u64)
    }
}
