//! A limit that holds in every minute, wherever the minute begins.
//!
//! Two accounts, because neither is enough alone. The **ledger** knows what was charged in the last
//! sixty seconds and lets nothing in beyond the limit: a bucket that fills while estimates are given
//! back in bursts could. The **pace**, a token bucket of one second's worth, spreads the calls: the
//! ledger alone would let a minute's worth go at once and then nothing for a minute.

use std::collections::VecDeque;

use super::TokenBucket;

/// Width of a ledger entry. A charge stays until its whole entry is a minute old, so at most 0.4 %
/// of the limit is left unused.
const SLOT_NS: u64 = 250_000_000;
const SLOTS_PER_MINUTE: u64 = 240;

/// Rounding that a sum of charges may have, as a part of the limit.
const TOLERANCE: f64 = 1e-9;

/// Requests or tokens a minute: reserve an estimate, then settle it.
///
/// **What holds.** Count every call at the time of its reservation, with what it really used (what
/// it reserved while that is open). Then no window of sixty seconds has more than the limit, plus
/// what the calls that were open at its last reservation used beyond theirs: with estimates that are
/// never too low, never more than the limit. A use beyond the reservation is charged when it is
/// settled, to the ledger and as a debt to the pace; so low estimates are made up for, and over any
/// long time no more than the limit passes on average.
///
/// **The exception.** An amount above the limit could never pass. It does when nothing is charged
/// in the window, and then takes the whole of it and its time in the pace.
///
/// A reservation that is never settled stays charged for its minute.
///
/// ```
/// use sage_core::limit::RateLimit;
///
/// let mut tokens = RateLimit::per_minute(6_000.0);
/// let call = tokens.reserve(100.0, 0).expect("the first second's worth");
/// // Spread over the minute: it would take half a second if the call were not still open.
/// assert_eq!(tokens.reserve(50.0, 0).unwrap_err(), 250_000_000);
/// // It used less than expected, and the next need not wait that long.
/// tokens.settle(call, 40.0, 0);
/// assert!(tokens.reserve(50.0, 0).is_ok());
/// assert_eq!(tokens.used_in_window(0), 90.0);
/// ```
#[derive(Debug, Clone)]
pub struct RateLimit {
    limit: f64,
    pace: TokenBucket,
    /// Slot number and charge, in order of slots, none older than the window.
    ledger: VecDeque<(u64, f64)>,
    open: usize,
    now_ns: u64,
}

/// What one call has taken, until it is settled or refunded.
#[derive(Debug, PartialEq)]
#[must_use = "settle or refund it, else it stays charged for a minute"]
pub struct Reservation {
    amount: f64,
    slot: u64,
}

impl Reservation {
    /// What is reserved.
    pub fn amount(&self) -> f64 {
        self.amount
    }
}

impl RateLimit {
    /// At most `limit` in any sixty seconds, evenly spread.
    pub fn per_minute(limit: f64) -> Self {
        // What is no rate lets nothing pass but single calls; drivers refuse it beforehand.
        let limit = if limit.is_nan() { f64::MIN_POSITIVE } else { limit };
        let limit = limit.clamp(f64::MIN_POSITIVE, 1e15);
        RateLimit {
            limit,
            pace: TokenBucket::per_second(limit / 60.0),
            ledger: VecDeque::new(),
            open: 0,
            now_ns: 0,
        }
    }

    /// The same for a limit that is written as a rate a second.
    pub fn per_second(rate: f64) -> Self {
        Self::per_minute(rate * 60.0)
    }

    /// Take `amount`, or say in how many nanoseconds to ask again.
    ///
    /// While reservations are open that is at most a quarter of a second: any of them may give back
    /// what it did not use.
    pub fn reserve(&mut self, amount: f64, now_ns: u64) -> Result<Reservation, u64> {
        let now_ns = self.advance(now_ns);
        let amount = quantity(amount);
        let passed = match self.ledger_wait(amount) {
            0 => self.pace.try_take(amount, now_ns),
            wait_ns => Err(wait_ns),
        };
        passed.map_err(|wait_ns| if self.open > 0 { wait_ns.min(SLOT_NS) } else { wait_ns })?;
        let slot = now_ns / SLOT_NS;
        self.charge(slot, amount);
        self.open += 1;
        Ok(Reservation { amount, slot })
    }

    /// A call has used `actual`: less than reserved (the rest is free again) or more (a debt).
    pub fn settle(&mut self, reservation: Reservation, actual: f64, now_ns: u64) {
        let now_ns = self.advance(now_ns);
        let actual = quantity(actual);
        let Reservation { amount, slot } = reservation;
        self.open = self.open.saturating_sub(1);
        self.pace.settle(amount, actual, now_ns);
        if actual > amount {
            self.charge(now_ns / SLOT_NS, actual - amount);
        } else if let Ok(at) = self.ledger.binary_search_by_key(&slot, |&(slot, _)| slot) {
            let charged = &mut self.ledger[at].1;
            *charged = (*charged - (amount - actual)).max(0.0);
        }
    }

    /// A call has used nothing.
    pub fn refund(&mut self, reservation: Reservation, now_ns: u64) {
        self.settle(reservation, 0.0, now_ns);
    }

    /// What is charged for the last sixty seconds.
    pub fn used_in_window(&self, now_ns: u64) -> f64 {
        let slot = now_ns.max(self.now_ns) / SLOT_NS;
        self.ledger.iter().filter(|(at, _)| at + SLOTS_PER_MINUTE >= slot).map(|(_, sum)| sum).sum()
    }

    /// Nanoseconds until enough has left the window, if nothing is settled meanwhile.
    fn ledger_wait(&self, amount: f64) -> u64 {
        let mut used: f64 = self.ledger.iter().map(|(_, charged)| charged).sum();
        // An amount above the limit asks for an empty window.
        let room = (self.limit - amount).max(0.0) + self.limit * TOLERANCE;
        for &(slot, charged) in &self.ledger {
            if used <= room {
                break;
            }
            used -= charged;
            if used <= room {
                let free_ns = (slot + SLOTS_PER_MINUTE + 1).saturating_mul(SLOT_NS);
                return free_ns.saturating_sub(self.now_ns).max(1);
            }
        }
        0
    }

    fn charge(&mut self, slot: u64, amount: f64) {
        match self.ledger.back_mut() {
            Some((last, charged)) if *last == slot => *charged += amount,
            _ => self.ledger.push_back((slot, amount)),
        }
    }

    /// Time goes on, never back; what is older than the window is forgotten.
    fn advance(&mut self, now_ns: u64) -> u64 {
        self.now_ns = self.now_ns.max(now_ns);
        let slot = self.now_ns / SLOT_NS;
        while self.ledger.front().is_some_and(|(at, _)| at + SLOTS_PER_MINUTE < slot) {
            self.ledger.pop_front();
        }
        self.now_ns
    }
}

/// An amount, whatever was said.
fn quantity(amount: f64) -> f64 {
    if amount.is_nan() { 0.0 } else { amount.clamp(0.0, 1e15) }
}
