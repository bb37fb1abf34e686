//! Both rate limits of an endpoint, kept together and in order of arrival.
//!
//! A call takes its part of requests and tokens **at one moment or not at all**. Taken one after the
//! other, a call that waits for its tokens would hold a request that was charged when it came, and is
//! sent when that charge has left the minute: the calls that waited so are sent above the limit.
//! And there is **one line**: with one for each limit, who passed the first would decide who comes
//! first at the second.

use std::collections::VecDeque;

use crate::limit::{RateLimit, Reservation};

/// What one try has taken of both limits.
#[derive(Debug, Default)]
#[must_use = "settle it, else it stays charged for a minute and counts as open"]
pub struct Taken {
    requests: Option<Reservation>,
    tokens: Option<Reservation>,
}

/// What a caller that asks is told.
#[derive(Debug)]
pub enum Turn {
    /// It has its part and is out of the line.
    Taken(Taken),
    /// It is the first, and is to ask again after so many nanoseconds.
    Wait(u64),
    /// Others are before it, or it is not in the line.
    Behind,
}

/// Requests and tokens a minute, and the line of callers that wait for them.
///
/// Whoever is [first](Self::first) in the line [asks](Self::ask), and waits as told. When it has got
/// its part or [leaves](Self::leave), the next one is to be woken.
///
/// ```
/// use sage_core::upstream::{Rates, Turn};
///
/// let mut rates = Rates::new(Some(10.0), Some(100.0));
/// let call = rates.take_at_once(100.0, 0).expect("the first second's worth");
/// rates.join(7, 50.0);
/// assert!(matches!(rates.ask(7, 0), Turn::Wait(_)));
/// assert_eq!(rates.used(0), [Some(1.0), Some(100.0)], "the one that waits holds nothing");
/// rates.settle(call, Some(40.0), 0);
/// assert!(matches!(rates.ask(7, 0), Turn::Taken(_)));
/// ```
#[derive(Debug, Clone)]
pub struct Rates {
    requests: Option<RateLimit>,
    tokens: Option<RateLimit>,
    /// Callers and the tokens that they want.
    line: VecDeque<(u64, f64)>,
}

impl Rates {
    /// Limits as averages over a minute; `None` is no limit.
    pub fn new(requests_per_s: Option<f64>, tokens_per_s: Option<f64>) -> Self {
        Rates {
            requests: requests_per_s.map(RateLimit::per_second),
            tokens: tokens_per_s.map(RateLimit::per_second),
            line: VecDeque::new(),
        }
    }

    /// A part of both limits for a call of `tokens`, if it can be had now and nobody waits for it.
    pub fn take_at_once(&mut self, tokens: f64, now_ns: u64) -> Option<Taken> {
        if self.line.is_empty() { self.take(tokens, now_ns).ok() } else { None }
    }

    /// `caller` stands in the line from now on and wants a part of both limits for a call of
    /// `tokens`. No number stands there twice.
    pub fn join(&mut self, caller: u64, tokens: f64) {
        self.line.push_back((caller, tokens));
    }

    /// Whose turn it is.
    pub fn first(&self) -> Option<u64> {
        self.line.front().map(|&(caller, _)| caller)
    }

    /// `caller` asks.
    pub fn ask(&mut self, caller: u64, now_ns: u64) -> Turn {
        match self.line.front() {
            Some(&(first, tokens)) if first == caller => match self.take(tokens, now_ns) {
                Ok(taken) => {
                    self.line.pop_front();
                    Turn::Taken(taken)
                }
                Err(wait_ns) => Turn::Wait(wait_ns.max(1)),
            },
            _ => Turn::Behind,
        }
    }

    /// `caller` leaves the line with nothing. True if it was the first.
    pub fn leave(&mut self, caller: u64) -> bool {
        let at = self.line.iter().position(|&(other, _)| other == caller);
        at.is_some_and(|at| {
            self.line.remove(at);
            at == 0
        })
    }

    /// The try used so many tokens; `None`: as many as were taken for it, for what a try that was
    /// cut off has used is not known.
    pub fn settle(&mut self, taken: Taken, tokens: Option<f64>, now_ns: u64) {
        settle(self.requests.as_mut(), taken.requests, None, now_ns);
        settle(self.tokens.as_mut(), taken.tokens, tokens, now_ns);
    }

    /// No server has seen the try.
    pub fn undo(&mut self, taken: Taken, now_ns: u64) {
        settle(self.requests.as_mut(), taken.requests, Some(0.0), now_ns);
        settle(self.tokens.as_mut(), taken.tokens, Some(0.0), now_ns);
    }

    /// Requests and tokens that are charged for the last minute, each where it is limited.
    pub fn used(&self, now_ns: u64) -> [Option<f64>; 2] {
        [&self.requests, &self.tokens]
            .map(|limit| limit.as_ref().map(|limit| limit.used_in_window(now_ns)))
    }

    /// Both, or how long to wait, nanoseconds.
    fn take(&mut self, tokens: f64, now_ns: u64) -> Result<Taken, u64> {
        let reserve = |limit: &mut Option<RateLimit>, amount| {
            limit.as_mut().map(|limit| limit.reserve(amount, now_ns)).transpose()
        };
        match (reserve(&mut self.requests, 1.0), reserve(&mut self.tokens, tokens)) {
            (Ok(requests), Ok(tokens)) => Ok(Taken { requests, tokens }),
            (requests, tokens) => {
                // Given back at the moment of its taking, a part leaves no trace.
                let mut longest_ns = 0;
                for (limit, part) in [(&mut self.requests, requests), (&mut self.tokens, tokens)] {
                    match part {
                        Ok(part) => settle(limit.as_mut(), part, Some(0.0), now_ns),
                        Err(wait_ns) => longest_ns = wait_ns.max(longest_ns),
                    }
                }
                Err(longest_ns)
            }
        }
    }
}

fn settle(
    limit: Option<&mut RateLimit>,
    taken: Option<Reservation>,
    actual: Option<f64>,
    now_ns: u64,
) {
    if let (Some(limit), Some(reservation)) = (limit, taken) {
        let actual = actual.unwrap_or(reservation.amount());
        limit.settle(reservation, actual, now_ns);
    }
}
