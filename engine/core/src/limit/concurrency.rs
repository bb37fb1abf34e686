//! Permits handed out first come, first served: one line for all, without regard to who calls.

use std::collections::BTreeSet;

/// A place in the line, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Answer to a call that wants a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It has one.
    Granted(Ticket),
    /// It waits; a later release names its ticket.
    Queued(Ticket),
    /// The line is full.
    Full,
}

/// Permits handed out first come, first served, with a bounded line.
///
/// A call that waits for its next try gives its permit back with [`pause`](Self::pause) and keeps
/// its place by arrival: on [`resume`](Self::resume) it stands before everyone who came later.
/// Paused calls count against the bound of the line, so all calls known here are bounded.
///
/// ```
/// use sage_core::limit::{Admission, ConcurrencyLimit};
///
/// let mut limit = ConcurrencyLimit::new(1, 1);
/// let Admission::Granted(first) = limit.request() else { panic!("a permit is free") };
/// let Admission::Queued(second) = limit.request() else { panic!("the line is empty") };
/// assert_eq!(limit.request(), Admission::Full);
/// assert_eq!(limit.release(first), Some(second));
/// ```
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    limit: usize,
    capacity: usize,
    in_flight: usize,
    max_in_flight: usize,
    paused: usize,
    /// Tickets are numbered by arrival, so the set is the line, and leaving it is cheap.
    line: BTreeSet<Ticket>,
    next: u64,
}

impl ConcurrencyLimit {
    /// At most `limit` (at least 1) permits, and `capacity` calls waiting for one.
    pub fn new(limit: u32, capacity: u32) -> Self {
        ConcurrencyLimit {
            limit: limit.max(1) as usize,
            capacity: capacity as usize,
            in_flight: 0,
            max_in_flight: 0,
            paused: 0,
            line: BTreeSet::new(),
            next: 0,
        }
    }

    /// A new call asks for a permit.
    pub fn request(&mut self) -> Admission {
        let ticket = Ticket(self.next);
        if self.in_flight < self.limit && self.line.is_empty() {
            self.next += 1;
            self.take();
            return Admission::Granted(ticket);
        }
        if self.line.len() + self.paused >= self.capacity {
            return Admission::Full;
        }
        self.next += 1;
        self.line.insert(ticket);
        Admission::Queued(ticket)
    }

    /// A call with a permit is over; names the call that has the permit now.
    pub fn release(&mut self, _holder: Ticket) -> Option<Ticket> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.grant()
    }

    /// A call with a permit gives it back for a while; names the call that has it now.
    pub fn pause(&mut self, holder: Ticket) -> Option<Ticket> {
        self.paused += 1;
        self.release(holder)
    }

    /// A paused call wants a permit again.
    pub fn resume(&mut self, ticket: Ticket) -> Admission {
        self.paused = self.paused.saturating_sub(1);
        if self.in_flight < self.limit && self.line.is_empty() {
            self.take();
            return Admission::Granted(ticket);
        }
        self.line.insert(ticket);
        Admission::Queued(ticket)
    }

    /// A paused call is over.
    pub fn forget_paused(&mut self) {
        self.paused = self.paused.saturating_sub(1);
    }

    /// A waiting call goes away. False if it does not wait (any more): then it may hold a permit.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        self.line.remove(&ticket)
    }

    /// Change the limit; names the calls that have a permit now. A lower limit takes no permit
    /// back, it lets calls end.
    pub fn set_limit(&mut self, limit: u32) -> Vec<Ticket> {
        self.limit = limit.max(1) as usize;
        std::iter::from_fn(|| self.grant()).collect()
    }

    /// Permits at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Permits out.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Most permits that were ever out.
    pub fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// Calls without a permit: in the line or paused.
    pub fn waiting(&self) -> usize {
        self.line.len() + self.paused
    }

    fn grant(&mut self) -> Option<Ticket> {
        if self.in_flight >= self.limit {
            return None;
        }
        let ticket = self.line.pop_first()?;
        self.take();
        Some(ticket)
    }

    fn take(&mut self) {
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum State {
        Waiting,
        Holding,
        Paused,
    }

    proptest! {
        /// Any order of calls keeps the limit and the bound, loses no permit and serves by arrival.
        #[test]
        fn permits_are_neither_lost_nor_invented(
            limit in 1u32..5,
            capacity in 0u32..6,
            steps in proptest::collection::vec((0u8..6, any::<proptest::sample::Index>()), 1..300),
        ) {
            let mut core = ConcurrencyLimit::new(limit, capacity);
            let mut calls: BTreeMap<Ticket, State> = BTreeMap::new();
            for (step, index) in steps {
                let of = |state: State| -> Option<Ticket> {
                    let all: Vec<Ticket> =
                        calls.iter().filter(|(_, s)| **s == state).map(|(t, _)| *t).collect();
                    (!all.is_empty()).then(|| all[index.index(all.len())])
                };
                let mut granted = Vec::new();
                match step {
                    0 | 1 => match core.request() {
                        Admission::Granted(ticket) => { calls.insert(ticket, State::Holding); }
                        Admission::Queued(ticket) => { calls.insert(ticket, State::Waiting); }
                        Admission::Full => {
                            let outside = calls.values().filter(|s| **s != State::Holding).count();
                            prop_assert!(outside >= capacity as usize);
                        }
                    },
                    2 => if let Some(ticket) = of(State::Holding) {
                        calls.remove(&ticket);
                        granted.extend(core.release(ticket));
                    },
                    3 => if let Some(ticket) = of(State::Holding) {
                        calls.insert(ticket, State::Paused);
                        granted.extend(core.pause(ticket));
                    },
                    4 => if let Some(ticket) = of(State::Paused) {
                        let state = match core.resume(ticket) {
                            Admission::Granted(_) => State::Holding,
                            _ => State::Waiting,
                        };
                        calls.insert(ticket, state);
                    },
                    _ => if let Some(ticket) = of(State::Waiting) {
                        prop_assert!(core.cancel(ticket));
                        calls.remove(&ticket);
                    },
                }
                for ticket in granted {
                    let first = calls.iter().find(|(_, s)| **s == State::Waiting).map(|(t, _)| *t);
                    prop_assert_eq!(Some(ticket), first);
                    calls.insert(ticket, State::Holding);
                }
                let holding = calls.values().filter(|s| **s == State::Holding).count();
                let waiting = calls.values().filter(|s| **s == State::Waiting).count();
                prop_assert_eq!(holding, core.in_flight());
                prop_assert!(holding <= limit as usize);
                prop_assert_eq!(calls.len() - holding, core.waiting());
                prop_assert!(waiting == 0 || holding == limit as usize, "idle permit");
            }
        }
    }

    #[test]
    fn a_raised_limit_grants_at_once_and_a_lowered_one_waits() {
        let mut limit = ConcurrencyLimit::new(1, 10);
        let Admission::Granted(first) = limit.request() else { panic!("free") };
        let Admission::Queued(second) = limit.request() else { panic!("taken") };
        let Admission::Queued(third) = limit.request() else { panic!("taken") };
        assert_eq!(limit.set_limit(2), vec![second]);
        assert!(limit.set_limit(1).is_empty());
        assert_eq!(limit.release(first), None);
        assert_eq!(limit.release(second), Some(third));
        assert_eq!(limit.max_in_flight(), 2);
    }
}
