//! Rate limits of the endpoint, kept in order of arrival; the gateway's `rates.rs` without sockets.
//!
//! One call at a time asks a limit and sleeps as it says; the others stand behind it. A call asks the
//! limit of requests first, and holds what it got there while it waits for the tokens.

use std::collections::VecDeque;

use sage_core::limit::{RateLimit, Reservation};

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rate {
    Requests,
    Tokens,
}

/// What a try has taken of both limits.
#[derive(Debug, Default)]
pub(super) struct Taken {
    requests: Option<Reservation>,
    tokens: Option<Reservation>,
}

/// Both limits.
#[derive(Debug)]
pub(super) struct Paces {
    requests: Option<Pace>,
    tokens: Option<Pace>,
}

#[derive(Debug)]
struct Pace {
    limit: RateLimit,
    /// Calls that wait; the first one asks.
    line: VecDeque<u64>,
    /// When it asks again.
    asks_ns: Option<u64>,
}

impl Paces {
    pub(super) fn new(requests_per_s: Option<f64>, tokens_per_s: Option<f64>) -> Self {
        let pace = |rate| Pace {
            limit: RateLimit::per_second(rate),
            line: VecDeque::new(),
            asks_ns: None,
        };
        Paces { requests: requests_per_s.map(pace), tokens: tokens_per_s.map(pace) }
    }

    fn pace(&mut self, rate: Rate) -> Option<&mut Pace> {
        match rate {
            Rate::Requests => self.requests.as_mut(),
            Rate::Tokens => self.tokens.as_mut(),
        }
    }

    /// `call` wants its part of `rate`. True if it may go on; else it stands in line, and the first
    /// in line is to [ask](Self::ask).
    pub(super) fn join(&mut self, rate: Rate, call: u64) -> bool {
        match self.pace(rate) {
            None => true,
            Some(pace) => {
                pace.line.push_back(call);
                false
            }
        }
    }

    /// The call whose turn it is, if it does not sleep.
    pub(super) fn asking(&mut self, rate: Rate) -> Option<u64> {
        let pace = self.pace(rate)?;
        if pace.asks_ns.is_some() { None } else { pace.line.front().copied() }
    }

    /// The first in line asks for `amount`: it gets it and leaves the line, or sleeps until the time
    /// that is told.
    pub(super) fn ask(&mut self, rate: Rate, amount: f64, now_ns: u64) -> Result<Reservation, u64> {
        let Some(pace) = self.pace(rate) else { return Err(u64::MAX) };
        match pace.limit.reserve(amount, now_ns) {
            Ok(reservation) => {
                pace.line.pop_front();
                Ok(reservation)
            }
            Err(wait_ns) => {
                let at_ns = now_ns.saturating_add(wait_ns.max(1));
                pace.asks_ns = Some(at_ns);
                Err(at_ns)
            }
        }
    }

    /// Whether the first in line sleeps until `at_ns`.
    pub(super) fn sleeps_until(&self, rate: Rate, at_ns: u64) -> bool {
        let pace = match rate {
            Rate::Requests => self.requests.as_ref(),
            Rate::Tokens => self.tokens.as_ref(),
        };
        pace.is_some_and(|pace| pace.asks_ns == Some(at_ns))
    }

    /// The first in line wakes up.
    pub(super) fn wake(&mut self, rate: Rate) {
        if let Some(pace) = self.pace(rate) {
            pace.asks_ns = None;
        }
    }

    /// `call` leaves the lines. The limit at which another one is first now, if there is one.
    pub(super) fn leave(&mut self, call: u64) -> Option<Rate> {
        for rate in [Rate::Requests, Rate::Tokens] {
            let Some(pace) = self.pace(rate) else { continue };
            let Some(at) = pace.line.iter().position(|&other| other == call) else { continue };
            pace.line.remove(at);
            if at == 0 {
                pace.asks_ns = None;
                return Some(rate);
            }
        }
        None
    }

    /// A part of both limits, if it can be had at once and nobody waits for it.
    pub(super) fn try_take(&mut self, tokens: f64, now_ns: u64) -> Option<Taken> {
        let mut taken = Taken::default();
        if let Some(pace) = &mut self.requests {
            taken.requests = Some(pace.at_once(1.0, now_ns)?);
        }
        if let Some(pace) = &mut self.tokens {
            let Some(reservation) = pace.at_once(tokens, now_ns) else {
                self.undo(taken, now_ns);
                return None;
            };
            taken.tokens = Some(reservation);
        }
        Some(taken)
    }

    /// The try used so many tokens; `None`: as many as were taken for it, for what a try that was
    /// cut off has used is not known.
    pub(super) fn settle(&mut self, taken: Taken, tokens: Option<f64>, now_ns: u64) {
        settle(self.requests.as_mut(), taken.requests, None, now_ns);
        settle(self.tokens.as_mut(), taken.tokens, tokens, now_ns);
    }

    /// No server has seen the try.
    pub(super) fn undo(&mut self, taken: Taken, now_ns: u64) {
        settle(self.requests.as_mut(), taken.requests, Some(0.0), now_ns);
        settle(self.tokens.as_mut(), taken.tokens, Some(0.0), now_ns);
    }
}

impl Taken {
    /// Of `rate`, the try has this.
    pub(super) fn add(&mut self, rate: Rate, reservation: Reservation) {
        match rate {
            Rate::Requests => self.requests = Some(reservation),
            Rate::Tokens => self.tokens = Some(reservation),
        }
    }
}

impl Pace {
    fn at_once(&mut self, amount: f64, now_ns: u64) -> Option<Reservation> {
        if self.line.is_empty() { self.limit.reserve(amount, now_ns).ok() } else { None }
    }
}

fn settle(pace: Option<&mut Pace>, taken: Option<Reservation>, actual: Option<f64>, now_ns: u64) {
    if let (Some(pace), Some(reservation)) = (pace, taken) {
        let actual = actual.unwrap_or(reservation.amount());
        pace.limit.settle(reservation, actual, now_ns);
    }
}
