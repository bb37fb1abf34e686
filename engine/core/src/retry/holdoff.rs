//! Quiet that an upstream asked for, kept by all calls to it.

/// Until when nothing is sent.
///
/// ```
/// use sage_core::retry::Holdoff;
///
/// let mut holdoff = Holdoff::new(60_000);
/// holdoff.hold(5_000, 1_000);
/// // Another answer names less: the longer one counts.
/// holdoff.hold(1_000, 1_200);
/// assert_eq!(holdoff.wait(2_000), Some(4_000));
/// assert_eq!(holdoff.wait(6_000), None);
/// // No upstream can ask for ever.
/// holdoff.hold(u64::MAX, 10_000);
/// assert_eq!(holdoff.wait(10_000), Some(60_000));
/// ```
#[derive(Debug, Clone)]
pub struct Holdoff {
    cap_ns: u64,
    until_ns: u64,
}

impl Holdoff {
    /// No quiet yet, and at most `cap_ns` from any request for it.
    pub fn new(cap_ns: u64) -> Self {
        Holdoff { cap_ns, until_ns: 0 }
    }

    /// The upstream asks for `for_ns` of quiet from now on. A shorter one than is kept already
    /// changes nothing.
    pub fn hold(&mut self, for_ns: u64, now_ns: u64) {
        self.until_ns = self.until_ns.max(now_ns.saturating_add(for_ns.min(self.cap_ns)));
    }

    /// How long to wait before the next call; `None`: not at all.
    pub fn wait(&self, now_ns: u64) -> Option<u64> {
        self.until_ns.checked_sub(now_ns).filter(|&wait| wait > 0)
    }
}
