//! Quiet that an upstream asked for, kept by all calls to it.
//!
//! A refusal with `Retry-After` binds the call that was refused, always. Whether it binds the others
//! cannot be told from one: a rate limiter refuses everything, while a busy server of several refuses
//! a stray one and answers the rest. So the upstream as a whole is left alone when refusals come in a
//! row, with no answer in between. With many calls under way a rate limiter is recognised at once.

/// What a call may do about an upstream that may have asked for quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// None is kept: go ahead.
    Over,
    /// The upstream asked for more than is kept: go ahead as the one that tries it, and report with
    /// [`Holdoff::answered`], [`Holdoff::refused`] or, if the call ended without news,
    /// [`Holdoff::no_news`].
    Trial,
    /// Come back after so many nanoseconds.
    Wait(u64),
}

/// Until when nothing is sent.
///
/// ```
/// use sage_core::retry::{Holdoff, Quiet};
///
/// let mut holdoff = Holdoff::new(3, 60_000, 500);
/// holdoff.refused(5_000, 1_000);
/// holdoff.refused(1_000, 1_100);
/// assert_eq!(holdoff.pass(1_100), Quiet::Over);
/// // The third in a row: the longest that was asked for counts.
/// holdoff.refused(1_000, 1_200);
/// assert_eq!(holdoff.pass(2_000), Quiet::Wait(4_000));
/// assert_eq!(holdoff.pass(6_000), Quiet::Over);
/// // No upstream can ask for ever; one call finds out whether it still means it.
/// holdoff.refused(u64::MAX, 10_000);
/// assert_eq!(holdoff.pass(10_000), Quiet::Wait(60_000));
/// assert_eq!(holdoff.pass(70_000), Quiet::Trial);
/// assert_eq!(holdoff.pass(70_000), Quiet::Wait(500));
/// assert!(holdoff.answered());
/// assert_eq!(holdoff.pass(70_001), Quiet::Over);
/// ```
#[derive(Debug, Clone)]
pub struct Holdoff {
    in_row: u32,
    cap_ns: u64,
    lease_ns: u64,
    /// Refusals since the last answer.
    row: u32,
    /// The latest moment that the refusals of the row asked for.
    asked_ns: u64,
    until_ns: u64,
    after: After,
}

/// What follows a quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Everybody,
    /// One call that tries; it was shorter than asked for.
    Trial,
    /// Everybody when the trial that is out is answered, else the next trial.
    Trying,
}

impl Holdoff {
    /// Quiet is kept from the `in_row`-th refusal in a row on (0 is as 1), at most `cap_ns` from any
    /// of them. A trial that says nothing for `lease_ns` is followed by another: refusals come at
    /// once, so the time is much shorter than that of a call.
    pub fn new(in_row: u32, cap_ns: u64, lease_ns: u64) -> Self {
        Holdoff {
            in_row,
            cap_ns,
            lease_ns: lease_ns.max(1),
            row: 0,
            asked_ns: 0,
            until_ns: 0,
            after: After::Everybody,
        }
    }

    /// The upstream refused a call and asks for `for_ns` of quiet from now on, 0 if it named no
    /// time. A shorter quiet than is kept already changes nothing.
    pub fn refused(&mut self, for_ns: u64, now_ns: u64) {
        self.row = self.row.saturating_add(1);
        let trying = self.after == After::Trying;
        if trying {
            // Newer word than what was asked for before; and what is left of the trial's lease is no
            // quiet that anybody asked for.
            (self.asked_ns, self.until_ns) = (0, 0);
        }
        self.asked_ns = self.asked_ns.max(now_ns.saturating_add(for_ns));
        if self.row < self.in_row && !trying {
            return;
        }
        let until_ns = self.asked_ns.min(now_ns.saturating_add(self.cap_ns));
        if until_ns < self.until_ns {
            return;
        }
        self.until_ns = until_ns;
        self.after = if self.asked_ns > until_ns { After::Trial } else { After::Everybody };
    }

    /// The upstream answered a call otherwise, with success or not: the row ends, and a trial. The
    /// quiet that is being kept goes on. True if a trial ended.
    pub fn answered(&mut self) -> bool {
        (self.row, self.asked_ns) = (0, 0);
        let trying = self.after == After::Trying;
        if trying {
            (self.until_ns, self.after) = (0, After::Everybody);
        }
        trying
    }

    /// A call that went out on a [`Quiet::Trial`] ended without news: the next may try at once.
    pub fn no_news(&mut self) {
        if self.after == After::Trying {
            (self.until_ns, self.after) = (0, After::Trial);
        }
    }

    /// What a call may do now.
    pub fn pass(&mut self, now_ns: u64) -> Quiet {
        if let Some(wait) = self.wait(now_ns) {
            return Quiet::Wait(wait);
        }
        if self.after == After::Everybody {
            return Quiet::Over;
        }
        self.after = After::Trying;
        self.until_ns = now_ns.saturating_add(self.lease_ns);
        Quiet::Trial
    }

    /// How long to wait before the next call; `None`: not at all.
    pub fn wait(&self, now_ns: u64) -> Option<u64> {
        self.until_ns.checked_sub(now_ns).filter(|&wait| wait > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAP: u64 = 100;
    const LEASE: u64 = 10;

    proptest! {
        /// Nobody waits unless refusals came in a row since the last answer; no wait is longer than
        /// the cap; and waiting as told always leads somewhere.
        #[test]
        fn only_a_row_of_refusals_holds(
            steps in proptest::collection::vec((0u8..4, 0u64..300, 0u64..60), 1..300),
        ) {
            let mut holdoff = Holdoff::new(3, CAP, LEASE);
            let (mut now, mut row, mut may_hold) = (0, 0, false);
            for (step, for_ns, pause) in steps {
                now += pause;
                match step {
                    0 | 1 => {
                        holdoff.refused(for_ns, now);
                        row += 1;
                        may_hold |= row >= 3;
                    }
                    2 => {
                        holdoff.answered();
                        row = 0;
                    }
                    _ => holdoff.no_news(),
                }
                if let Quiet::Wait(wait) = holdoff.pass(now) {
                    prop_assert!(may_hold);
                    prop_assert!(wait > 0 && wait <= CAP);
                    prop_assert!(!matches!(holdoff.clone().pass(now + wait), Quiet::Wait(_)));
                }
            }
        }
    }

    #[test]
    fn stray_refusals_hold_nobody_and_a_row_does() {
        let mut holdoff = Holdoff::new(3, CAP, LEASE);
        for now in 0..20 {
            holdoff.refused(50, now);
            holdoff.refused(50, now);
            assert!(!holdoff.answered());
        }
        assert_eq!(holdoff.pass(20), Quiet::Over);
        for _ in 0..3 {
            holdoff.refused(50, 20);
        }
        // A late answer does not shorten what was asked for.
        holdoff.answered();
        assert_eq!(holdoff.pass(30), Quiet::Wait(40));
        assert_eq!(holdoff.pass(70), Quiet::Over);
    }

    #[test]
    fn a_rate_limiter_that_goes_on_refusing_holds_again_at_once() {
        let mut holdoff = Holdoff::new(3, CAP, LEASE);
        for _ in 0..3 {
            holdoff.refused(50, 0);
        }
        assert_eq!(holdoff.pass(50), Quiet::Over);
        holdoff.refused(50, 60);
        assert_eq!(holdoff.pass(60), Quiet::Wait(50));
    }

    #[test]
    fn one_call_at_a_time_tries_after_a_quiet_that_was_cut_short() {
        let mut holdoff = Holdoff::new(1, CAP, LEASE);
        holdoff.refused(1_000, 0);
        assert_eq!(holdoff.pass(100), Quiet::Trial);
        assert_eq!(holdoff.pass(100), Quiet::Wait(LEASE));
        holdoff.no_news();
        assert_eq!(holdoff.pass(101), Quiet::Trial);
        // One that is lost is replaced.
        assert_eq!(holdoff.pass(111), Quiet::Trial);
        holdoff.refused(5, 112);
        assert_eq!(holdoff.pass(112), Quiet::Wait(5));
        assert_eq!(holdoff.pass(117), Quiet::Over);
    }
}
