//! Whether a refused call means that there are too many in flight.
//!
//! However many calls are refused in one round trip, the limit falls once: they were all sent under
//! the limit that was too high (as TCP answers the losses of one window, RFC 5681).
//!
//! Halving again each round trip ruins the throughput where refusals do not depend on us: a limit on
//! requests a minute, a proxy that fails three calls in ten. There the share of refusals stays what
//! it was however far the limit falls. So each reduction is an experiment (as PCC's, Dong et al.,
//! NSDI 2015): if it did not lower the share of refusals, that share is taken as given and only a
//! higher one counts. A server that refuses every other call is always believed.

/// Outcomes after a reduction that it takes to judge it, unless most are refusals.
const LEAST_OUTCOMES: f64 = 24.0;
const LEAST_REFUSALS: f64 = 4.0;
/// A share below this much of the earlier one is an improvement.
const IMPROVED: f64 = 0.7;
/// A share above this much of the tolerated one is a new sign.
const WORSE: f64 = 1.5;
/// A share from which on a server is always believed.
const BELIEVED: f64 = 0.5;
/// Outcomes after which older ones count half.
const MEMORY: f64 = 400.0;
/// Reductions longer ago than so many round trips are not judged any more.
const RECENT: u64 = 20;

#[derive(Debug, Clone, Copy, Default)]
struct Outcomes {
    answered: f64,
    refused: f64,
}

impl Outcomes {
    fn add(&mut self, refused: bool) {
        *(if refused { &mut self.refused } else { &mut self.answered }) += 1.0;
    }

    fn total(&self) -> f64 {
        self.answered + self.refused
    }

    fn share(&self) -> f64 {
        self.refused / self.total().max(1.0)
    }
}

/// Answered and refused calls around the last reduction.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    /// Outcomes of calls sent before the last reduction, and when the last of them are in.
    before: Outcomes,
    until_ns: u64,
    after: Outcomes,
    tolerated: f64,
}

impl Refusals {
    /// A call was answered, or refused; true if the limit is to be reduced.
    pub(super) fn outcome(&mut self, refused: bool, rtt_ns: u64, now_ns: u64) -> bool {
        if now_ns < self.until_ns {
            self.before.add(refused);
            return false;
        }
        self.after.add(refused);
        let share = self.after.share();
        if self.after.total() > MEMORY {
            self.tolerated = self.tolerated.min(WORSE * share);
            self.after.answered /= 2.0;
            self.after.refused /= 2.0;
        }
        if !refused || self.tolerates(share, rtt_ns, now_ns) {
            return false;
        }
        self.before = Outcomes { answered: 0.0, refused: 1.0 };
        self.after = Outcomes::default();
        self.until_ns = now_ns.saturating_add(rtt_ns);
        true
    }

    fn tolerates(&mut self, share: f64, rtt_ns: u64, now_ns: u64) -> bool {
        if share < BELIEVED && share <= WORSE * self.tolerated {
            return true;
        }
        let since_ns = now_ns.saturating_sub(self.until_ns);
        if self.until_ns == 0 || since_ns > rtt_ns.saturating_mul(RECENT) {
            return false;
        }
        if share >= BELIEVED {
            return self.after.refused < LEAST_REFUSALS;
        }
        if self.after.total() < LEAST_OUTCOMES {
            return true;
        }
        let no_better = share > IMPROVED * self.before.share();
        if no_better {
            self.tolerated = share;
        }
        no_better
    }

    /// Whether refusals are known not to depend on the limit.
    pub(super) fn are_tolerated(&self) -> bool {
        self.tolerated > 0.0
    }
}
