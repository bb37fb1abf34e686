//! How long calls usually take at an endpoint, and what follows from that.

use super::settings::{LEAST_LONG_NS, LONG_FACTOR, LONG_NS, POLL_NS};

/// Part of an average that one call makes.
const WEIGHT: f64 = 1.0 / 16.0;

/// The time for which a call holds its place, on average of late.
///
/// ```
/// use sage_core::upstream::UsualTime;
///
/// let mut usual = UsualTime::default();
/// assert!(!usual.is_long(9_000_000_000) && usual.is_long(10_000_000_000));
/// usual.observe(2.0);
/// assert!(!usual.is_long(7_000_000_000) && usual.is_long(8_000_000_000));
/// assert_eq!(usual.poll_pause_ns(), 500_000_000);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct UsualTime {
    seconds: Option<f64>,
}

impl UsualTime {
    /// A call was answered and held its place for `seconds`.
    pub fn observe(&mut self, seconds: f64) {
        let usual = self.seconds.get_or_insert(seconds);
        *usual += (seconds - *usual) * WEIGHT;
    }

    /// The time, in seconds; `None` until a call was answered.
    pub fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    /// Whether a call that ends after `after_ns` at a server without an answer says something of the
    /// server. A client in a hurry must not close it for the others.
    pub fn is_long(&self, after_ns: u64) -> bool {
        after_ns >= self.times(LONG_FACTOR).map_or(LONG_NS, |long_ns| long_ns.max(LEAST_LONG_NS))
    }

    /// Between two looks at a server's metrics: the shorter the faster calls are answered, because
    /// then more changes.
    pub fn poll_pause_ns(&self) -> u64 {
        self.times(0.25).map_or(POLL_NS.1, |ns| ns.clamp(POLL_NS.0, POLL_NS.1))
    }

    fn times(&self, factor: f64) -> Option<u64> {
        self.seconds.map(|seconds| (seconds * factor * 1e9) as u64)
    }
}
