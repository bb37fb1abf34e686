//! Whether calls go to an upstream, and who finds out when it is back.

use rand::{Rng, RngExt};

/// What a call may do about an upstream that may be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Go ahead.
    Open,
    /// No connection could be made of late: ask for something that costs nothing (its models)
    /// whether it is back, and report with [`Breaker::reached`] or [`Breaker::unreachable`].
    Probe,
    /// It fails all calls: go ahead as the one that tries it, and report with
    /// [`Breaker::reached`], [`Breaker::failed`] (`trial`), [`Breaker::unreachable`] or, if the call
    /// ended without news, [`Breaker::no_news`].
    Trial,
    /// Come back after so many nanoseconds, or when the upstream is reached.
    Wait(u64),
}

/// When failing calls count as an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// So many failures without an answer in between open the breaker; 0: they never do.
    pub failures: u32,
    /// Time to the first trial; it doubles with each that fails.
    pub base_ns: u64,
    /// Longest time between trials.
    pub cap_ns: u64,
    /// A trial that has not reported by then is taken for lost: the longest time of a call.
    pub lease_ns: u64,
}

/// What is known of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamState {
    /// It answers, as far as is known.
    Up,
    /// Connections are made, but calls fail (5xx, cut off, no answer in time, or none in its shape).
    Failing,
    /// No connection can be made.
    Unreachable,
}

/// Holds calls back while an upstream is down. **Down** is either of two:
///
/// - *unreachable*: one attempt to connect has failed. Certain at once and harmless to find out
///   about, so one is enough, and a probe asks every `base_ns` to `cap_ns`.
/// - *failing*: [`Trip::failures`] calls in a row came to nothing (5xx, cut connections, timeouts).
///   A probe would not do, since a server whose engine has died still lists its models; so one call
///   at a time is let through as a trial, less and less often.
///
/// Any proper answer, also to a call from before, means that it is up, and ends the row. A 4xx is
/// an answer, 429 included: a server that says no is there, and how much to send it is for the
/// concurrency limit to learn. Waits have a random half, so that several gateways do not ask in step.
///
/// ```
/// use rand::SeedableRng;
/// use sage_core::retry::{Breaker, Passage, Trip};
///
/// let mut rng = rand_pcg::Pcg32::seed_from_u64(1);
/// let trip = Trip { failures: 2, base_ns: 1_000, cap_ns: 8_000, lease_ns: 60_000 };
/// let mut breaker = Breaker::new(50, 500, 5_000).tripping(trip);
/// breaker.failed(false, 0, &mut rng);
/// assert_eq!(breaker.pass(0), Passage::Open);
/// breaker.failed(false, 0, &mut rng);
/// assert!(matches!(breaker.pass(0), Passage::Wait(_)));
/// assert_eq!(breaker.pass(1_000), Passage::Trial);
/// assert!(matches!(breaker.pass(1_000), Passage::Wait(_)));
/// assert!(breaker.reached());
/// assert_eq!(breaker.pass(1_001), Passage::Open);
/// ```
#[derive(Debug, Clone)]
pub struct Breaker {
    base_ns: u64,
    cap_ns: u64,
    /// A probe that does not report within this time is taken for lost.
    lease_ns: u64,
    trip: Trip,
    /// Failures since the last answer.
    row: u32,
    down: Option<Down>,
}

#[derive(Debug, Clone, Copy)]
struct Down {
    since_ns: u64,
    reachable: bool,
    /// Probes or trials that failed.
    asked: u32,
    next_ns: u64,
    asking: bool,
}

impl Breaker {
    /// Probes of an unreachable upstream are `base_ns` apart at first, then double up to `cap_ns`;
    /// one that has not reported after `lease_ns` is lost. Failing calls do not trip it.
    pub fn new(base_ns: u64, cap_ns: u64, lease_ns: u64) -> Self {
        let trip = Trip { failures: 0, base_ns, cap_ns, lease_ns };
        Breaker { base_ns, cap_ns, lease_ns, trip, row: 0, down: None }
    }

    /// The same, and failing calls trip it.
    pub fn tripping(mut self, trip: Trip) -> Self {
        self.trip = trip;
        self
    }

    /// What a call may do now.
    pub fn pass(&mut self, now_ns: u64) -> Passage {
        match &mut self.down {
            None => Passage::Open,
            Some(down) if now_ns >= down.next_ns => {
                down.asking = true;
                let (passage, lease_ns) = if down.reachable {
                    (Passage::Trial, self.trip.lease_ns)
                } else {
                    (Passage::Probe, self.lease_ns)
                };
                down.next_ns = now_ns.saturating_add(lease_ns.max(1));
                passage
            }
            Some(down) => Passage::Wait(down.next_ns - now_ns),
        }
    }

    /// The upstream answered something. True if it was down until now.
    pub fn reached(&mut self) -> bool {
        self.row = 0;
        self.down.take().is_some()
    }

    /// No connection could be made.
    pub fn unreachable(&mut self, now_ns: u64, rng: &mut impl Rng) {
        let (since_ns, asked) = match self.down {
            // Calls that were under way when the upstream went down all report it; only a probe
            // may lengthen the interval.
            Some(down) if !down.reachable && !down.asking => return,
            Some(down) if !down.reachable => (down.since_ns, down.asked.saturating_add(1)),
            Some(down) => (down.since_ns, 0),
            None => (now_ns, 0),
        };
        let wait = interval(self.base_ns, self.cap_ns, asked, rng);
        self.go_down(
            Down { since_ns, reachable: false, asked, next_ns: wait, asking: false },
            now_ns,
        );
    }

    /// A call came to nothing, although a connection was made: 5xx, cut off, no answer in time, or
    /// something that is no answer.
    /// `trial` is whether it went out on a [`Passage::Trial`]; others from before the upstream went
    /// down are no news.
    pub fn failed(&mut self, trial: bool, now_ns: u64, rng: &mut impl Rng) {
        self.row = self.row.saturating_add(1);
        let (since_ns, asked) = match self.down {
            Some(down) if down.reachable && down.asking && trial => {
                (down.since_ns, down.asked.saturating_add(1))
            }
            // Unreachable upstreams are for the probe to find back.
            Some(_) => return,
            None if self.trip.failures == 0 || self.row < self.trip.failures => return,
            None => (now_ns, 0),
        };
        let wait = interval(self.trip.base_ns, self.trip.cap_ns, asked, rng);
        self.go_down(
            Down { since_ns, reachable: true, asked, next_ns: wait, asking: false },
            now_ns,
        );
    }

    /// A call that went out on a [`Passage::Trial`] ended without news, for instance because its
    /// client went away: the next may try at once.
    pub fn no_news(&mut self, now_ns: u64) {
        if let Some(down) = self.down.as_mut().filter(|down| down.reachable && down.asking) {
            down.asking = false;
            down.next_ns = now_ns;
        }
    }

    /// What is known of the upstream.
    pub fn state(&self) -> UpstreamState {
        match self.down {
            None => UpstreamState::Up,
            Some(down) if down.reachable => UpstreamState::Failing,
            Some(_) => UpstreamState::Unreachable,
        }
    }

    /// Since when the upstream has been down, in either way.
    pub fn down_since_ns(&self) -> Option<u64> {
        self.down.map(|down| down.since_ns)
    }

    /// `down.next_ns` comes in as the time from now.
    fn go_down(&mut self, mut down: Down, now_ns: u64) {
        down.next_ns = now_ns.saturating_add(down.next_ns);
        self.down = Some(down);
    }
}

/// Half of the interval is jitter.
fn interval(base_ns: u64, cap_ns: u64, asked: u32, rng: &mut impl Rng) -> u64 {
    let interval = base_ns.saturating_mul(1 << asked.min(30)).min(cap_ns);
    interval / 2 + rng.random_range(0..=interval / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg32;

    const TRIP: Trip = Trip { failures: 3, base_ns: 100, cap_ns: 400, lease_ns: 10_000 };

    proptest! {
        /// Whatever is reported: while the upstream is down nobody goes but those that ask, at most
        /// one within its lease unless it reported, and waiting as told always leads somewhere.
        #[test]
        fn one_at_a_time_asks_while_it_is_down(
            steps in proptest::collection::vec((0u8..7, 0u64..300), 1..300),
            seed: u64,
        ) {
            let mut rng = Pcg32::seed_from_u64(seed);
            let mut breaker = Breaker::new(50, 200, 1_000).tripping(TRIP);
            let (mut now, mut asking, mut row) = (0, None::<(Passage, u64)>, 0);
            for (step, pause) in steps {
                now += pause;
                let before = breaker.state();
                match step {
                    0..=2 => match breaker.pass(now) {
                        Passage::Open => prop_assert_eq!(before, UpstreamState::Up),
                        Passage::Wait(ns) => prop_assert!(ns > 0 && ns <= 10_000),
                        asked => {
                            prop_assert!(asking.is_none_or(|(_, until)| now >= until));
                            let lease = if asked == Passage::Trial { 10_000 } else { 1_000 };
                            let failing = before == UpstreamState::Failing;
                            prop_assert_eq!(failing, asked == Passage::Trial);
                            asking = Some((asked, now + lease));
                        }
                    },
                    3 => {
                        prop_assert_eq!(breaker.reached(), before != UpstreamState::Up);
                        (asking, row) = (None, 0);
                    }
                    4 => {
                        breaker.unreachable(now, &mut rng);
                        asking = None;
                        prop_assert_eq!(breaker.state(), UpstreamState::Unreachable);
                    }
                    _ => {
                        let trial = step == 5
                            && asking.is_some_and(|(asked, _)| asked == Passage::Trial);
                        breaker.failed(trial, now, &mut rng);
                        if trial {
                            asking = None;
                        }
                        row += 1;
                        if before == UpstreamState::Up {
                            let failing = breaker.state() == UpstreamState::Failing;
                            prop_assert_eq!(failing, row >= 3);
                        } else {
                            prop_assert_eq!(breaker.state(), before);
                        }
                    }
                }
                prop_assert_eq!(breaker.down_since_ns().is_some(), breaker.state() != UpstreamState::Up);
            }
        }
    }

    #[test]
    fn an_answer_in_between_ends_the_row() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut breaker = Breaker::new(50, 200, 1_000).tripping(TRIP);
        for _ in 0..10 {
            breaker.failed(false, 0, &mut rng);
            breaker.failed(false, 0, &mut rng);
            breaker.reached();
        }
        assert_eq!(breaker.pass(0), Passage::Open);
    }

    #[test]
    fn trials_grow_apart_and_stragglers_do_not_count() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut breaker = Breaker::new(50, 200, 1_000).tripping(TRIP);
        for _ in 0..20 {
            breaker.failed(false, 0, &mut rng);
        }
        assert!(matches!(breaker.pass(0), Passage::Wait(50..=100)));
        assert_eq!(breaker.pass(100), Passage::Trial);
        // From before; the trial is still out.
        breaker.failed(false, 110, &mut rng);
        assert_eq!(breaker.pass(110), Passage::Wait(9_990));
        breaker.failed(true, 200, &mut rng);
        assert!(matches!(breaker.pass(200), Passage::Wait(100..=200)));
        assert_eq!(breaker.pass(400), Passage::Trial);
        breaker.no_news(450);
        assert_eq!(breaker.pass(450), Passage::Trial);
        breaker.unreachable(500, &mut rng);
        assert_eq!(breaker.pass(550), Passage::Probe);
        assert_eq!(breaker.down_since_ns(), Some(0));
    }

    #[test]
    fn one_probe_at_a_time_until_the_upstream_is_back() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut breaker = Breaker::new(100, 400, 1_000);
        assert_eq!(breaker.pass(0), Passage::Open);
        breaker.unreachable(0, &mut rng);
        breaker.unreachable(1, &mut rng);
        assert!(matches!(breaker.pass(1), Passage::Wait(1..=100)));
        assert_eq!(breaker.pass(100), Passage::Probe);
        assert_eq!(breaker.pass(101), Passage::Wait(999));
        breaker.unreachable(200, &mut rng);
        assert!(matches!(breaker.pass(200), Passage::Wait(100..=200)));
        assert_eq!(breaker.pass(400), Passage::Probe);
        assert_eq!(breaker.down_since_ns(), Some(0));
        assert!(breaker.reached());
        assert!(!breaker.reached());
        assert_eq!(breaker.pass(401), Passage::Open);
    }

    #[test]
    fn a_lost_probe_is_replaced() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut breaker = Breaker::new(100, 400, 1_000);
        breaker.unreachable(0, &mut rng);
        assert_eq!(breaker.pass(100), Passage::Probe);
        assert_eq!(breaker.pass(1_100), Passage::Probe);
    }
}
