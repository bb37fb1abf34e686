//! What faults do to calls, for somebody who makes them in another way than over HTTP.
//!
//! The rules, the draws and their order are those of the server: call number n has the same fate.

use std::time::Duration;

use super::{Effect, Faults, RetryAfter};

/// Statuses that come with a `Retry-After`, and what it says unless the rules say something else.
const REFUSALS: [(u16, Duration); 2] =
    [(429, Duration::from_secs(1)), (503, Duration::from_secs(1))];

/// What happens to a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Foretold {
    /// So much time is added.
    pub delay_ns: u64,
    /// How it ends, if not by its answer.
    pub end: Option<End>,
}

/// How a call ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a status.
    Status {
        /// The status.
        code: u16,
        /// What `Retry-After` says, if it is there.
        retry_after_ns: Option<u64>,
    },
    /// No connection is made.
    Unreached,
    /// The connection is lost before the answer is whole.
    Lost,
    /// The answer is none.
    Garbled,
    /// Never.
    Silence,
}

/// Foretells call after call.
#[derive(Debug)]
pub struct Foreteller {
    faults: Faults,
    seed: u64,
    calls: u64,
}

impl Foreteller {
    /// `faults` from time 0 on.
    pub fn new(faults: Faults, seed: u64) -> Self {
        Foreteller { faults, seed, calls: 0 }
    }

    /// What happens to the next call, which is made at `now_ns`.
    pub fn next(&mut self, now_ns: u64) -> Foretold {
        let at_once = |end| Foretold { delay_ns: 0, end: Some(end) };
        if !self.is_there(now_ns) {
            return at_once(End::Unreached);
        }
        if Duration::from_nanos(now_ns) < self.faults.slow_start {
            return at_once(self.status(503));
        }
        self.calls += 1;
        let fate = self.faults.fate(self.seed, self.calls);
        let end = fate.effect.map(|effect| match effect {
            Effect::Status(status) => self.status(status.as_u16()),
            Effect::Stall => End::Silence,
            Effect::Drop | Effect::Reset | Effect::Truncated => End::Lost,
            Effect::BadJson => End::Garbled,
        });
        let delay_ns = u64::try_from(fate.delay.as_nanos()).unwrap_or(u64::MAX);
        Foretold { delay_ns, end }
    }

    /// Whether a connection can be made at `now_ns`.
    pub fn is_there(&self, now_ns: u64) -> bool {
        let now = Duration::from_nanos(now_ns);
        !self.faults.outages.iter().any(|window| window.holds(now))
    }

    /// Whether the next answer misses its schema. Who counts answers and not tries has a foreteller
    /// of its own for them: a try that fails has no answer.
    pub fn misses_schema(&mut self) -> bool {
        self.calls += 1;
        self.faults.fate(self.seed, self.calls).wrong_schema
    }

    fn status(&self, code: u16) -> End {
        let usual = REFUSALS.iter().find(|(status, _)| *status == code).map(|(_, after)| *after);
        let said = match self.faults.retry_after {
            None => usual,
            Some(RetryAfter::Silent) => None,
            Some(RetryAfter::Seconds(seconds)) => usual.map(|_| Duration::from_secs(seconds)),
        };
        let retry_after_ns = said.and_then(|after| u64::try_from(after.as_nanos()).ok());
        End::Status { code, retry_after_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Active;
    use super::*;

    #[test]
    fn a_call_has_the_fate_that_the_server_gives_it() {
        let faults = Faults::parse("status_500=20%,latency=10ms:50%,stall=1/7").unwrap();
        let active = Active::new(faults.clone(), 7);
        let mut foreteller = Foreteller::new(faults, 7);
        for _ in 0..200 {
            let (fate, foretold) = (active.next(), foreteller.next(0));
            assert_eq!(u128::from(foretold.delay_ns), fate.delay.as_nanos());
            assert_eq!(foretold.end.is_some(), fate.effect.is_some());
            let stalls = foretold.end == Some(End::Silence);
            assert_eq!(stalls, fate.effect == Some(Effect::Stall));
        }
    }

    #[test]
    fn answers_miss_their_schema_as_often_as_the_rules_say() {
        let faults = Faults::parse("wrong_schema=20%,status_500=50%").unwrap();
        let mut foreteller = Foreteller::new(faults, 7);
        let missed = (0..1000).filter(|_| foreteller.misses_schema()).count();
        assert!((150..250).contains(&missed), "{missed}");
    }

    #[test]
    fn refusals_say_when_to_come_back() {
        let end = |rules: &str, now_ns| {
            Foreteller::new(Faults::parse(rules).unwrap(), 0).next(now_ns).end
        };
        let status = |code, retry_after_ns| Some(End::Status { code, retry_after_ns });
        assert_eq!(end("status_429=100%", 0), status(429, Some(1_000_000_000)));
        assert_eq!(end("status_429=100%,retry_after=none", 0), status(429, None));
        assert_eq!(end("status_500=100%,retry_after=2s", 0), status(500, None));
        assert_eq!(end("slow_start=2s,retry_after=3s", 0), status(503, Some(3_000_000_000)));
        assert_eq!(end("slow_start=2s", 2_000_000_000), None);
        assert_eq!(end("outage=1s+1s", 1_500_000_000), Some(End::Unreached));
    }
}
