//! The endpoint's rate limits in virtual time: the pair and its line, and when its first one wakes.

use sage_core::upstream::{Rates, Taken, Turn};

use super::Station;
use super::agenda::Event;
use super::trip::Wake;

/// See the module.
#[derive(Debug)]
pub(super) struct Paces {
    pub(super) rates: Rates,
    /// When the first in line asks again; `None`: nobody sleeps.
    asks_ns: Option<u64>,
}

impl Paces {
    pub(super) fn new(requests_per_s: Option<f64>, tokens_per_s: Option<f64>) -> Self {
        Paces { rates: Rates::new(requests_per_s, tokens_per_s), asks_ns: None }
    }

    /// Whether the first in line sleeps until `at_ns`.
    pub(super) fn sleeps_until(&self, at_ns: u64) -> bool {
        self.asks_ns == Some(at_ns)
    }

    /// The try used so many tokens; `None` is not known.
    pub(super) fn settle(&mut self, taken: Option<Taken>, tokens: Option<f64>, now_ns: u64) {
        if let Some(taken) = taken {
            self.rates.settle(taken, tokens, now_ns);
        }
    }
}

impl Station {
    /// A call of `tokens` that has a server wants its part of the rates. `None`: it stands in line.
    pub(super) fn take_or_join(&mut self, number: u64, tokens: f64) -> Option<Taken> {
        let taken = self.paces.rates.take_at_once(tokens, self.now_ns);
        if taken.is_none() {
            self.paces.rates.join(number, tokens);
            self.turn();
        }
        taken
    }

    /// The first in line wakes up.
    pub(super) fn wake_first(&mut self) {
        self.paces.asks_ns = None;
        self.turn();
    }

    /// `number` leaves the line with nothing.
    pub(super) fn leave_rates(&mut self, number: u64) {
        if self.paces.rates.leave(number) {
            self.wake_first();
        }
    }

    /// Whoever is first in line asks, and the next, until one has to sleep.
    fn turn(&mut self) {
        while self.paces.asks_ns.is_none()
            && let Some(number) = self.paces.rates.first()
        {
            match self.paces.rates.ask(number, self.now_ns) {
                Turn::Taken(taken) => {
                    let attempt = self.calls.get(&number).and_then(|call| call.attempt);
                    if let Some(attempt) = attempt.and_then(|number| self.attempts.get_mut(&number))
                    {
                        attempt.taken = Some(taken);
                    }
                    self.ready.push_back(Wake::Paced(number));
                }
                Turn::Wait(ns) => {
                    let at_ns = self.now_ns.saturating_add(ns);
                    self.paces.asks_ns = Some(at_ns);
                    self.agenda.plan(at_ns, Event::Turn);
                }
                Turn::Behind => return,
            }
        }
    }
}
