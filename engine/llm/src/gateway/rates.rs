//! Rate limits of an endpoint, kept in order of arrival.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sage_core::limit::{RateLimit, Reservation};
use tokio::time::sleep;

use super::GatewayError;
use super::config::Upstream;

/// Requests and tokens a minute.
pub(super) struct Rates {
    requests: Option<Arc<Pace>>,
    tokens: Option<Arc<Pace>>,
}

/// How a limit is used now.
pub(super) struct RateUse {
    /// `requests` or `tokens`.
    pub(super) of: &'static str,
    /// What a minute may have.
    pub(super) limit: f64,
    /// What the last minute had.
    pub(super) used: f64,
}

struct Pace {
    limit: Mutex<RateLimit>,
    per_minute: f64,
    /// Held by the one that waits; tokio's mutex is fair.
    turn: tokio::sync::Mutex<()>,
    started: Instant,
}

/// What one try has taken of both limits. Dropped without a word it stays taken: what a try that
/// was cut off has used is not known.
#[derive(Default)]
pub(super) struct Taken {
    requests: Option<Hold>,
    tokens: Option<Hold>,
}

struct Hold {
    pace: Arc<Pace>,
    reservation: Option<Reservation>,
}

impl Rates {
    pub(super) fn new(upstream: &Upstream) -> Result<Rates, GatewayError> {
        let pace = |rate: Option<f64>, what: &str| match rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => Err(GatewayError::Config(format!(
                "endpoint `{}`: {what} per second must be above 0, not {rate}",
                upstream.name
            ))),
            rate => Ok(rate.map(|rate| Arc::new(Pace::new(rate)))),
        };
        Ok(Rates {
            requests: pace(upstream.requests_per_s, "requests")?,
            tokens: pace(upstream.tokens_per_s, "tokens")?,
        })
    }

    /// Wait until one request with `tokens` tokens may go.
    pub(super) async fn take(&self, tokens: f64) -> Taken {
        let mut taken = Taken::default();
        if let Some(pace) = &self.requests {
            taken.requests = Some(pace.take(1.0).await);
        }
        if let Some(pace) = &self.tokens {
            taken.tokens = Some(pace.take(tokens).await);
        }
        taken
    }

    /// The same if it may go at once.
    pub(super) fn try_take(&self, tokens: f64) -> Option<Taken> {
        let mut taken = Taken::default();
        if let Some(pace) = &self.requests {
            taken.requests = Some(pace.try_take(1.0).ok()?);
        }
        if let Some(pace) = &self.tokens {
            let Ok(hold) = pace.try_take(tokens) else {
                taken.undo();
                return None;
            };
            taken.tokens = Some(hold);
        }
        Some(taken)
    }

    pub(super) fn in_use(&self) -> Vec<RateUse> {
        let paces = [("requests", &self.requests), ("tokens", &self.tokens)];
        let known = paces.into_iter().filter_map(|(of, pace)| Some((of, pace.as_ref()?)));
        known
            .map(|(of, pace)| {
                let used = pace.limit().used_in_window(pace.now_ns());
                RateUse { of, limit: pace.per_minute, used }
            })
            .collect()
    }
}

impl Taken {
    /// The try used so many tokens; a failed one none.
    pub(super) fn settle(mut self, tokens: f64) {
        if let Some(hold) = &mut self.tokens {
            hold.settle(tokens);
        }
    }

    /// The upstream has never seen the try.
    pub(super) fn undo(mut self) {
        for hold in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            hold.settle(0.0);
        }
    }
}

impl Hold {
    fn settle(&mut self, actual: f64) {
        if let Some(reservation) = self.reservation.take() {
            self.pace.limit().settle(reservation, actual, self.pace.now_ns());
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(amount) = self.reservation.as_ref().map(Reservation::amount) {
            self.settle(amount);
        }
    }
}

impl Pace {
    fn new(rate_per_s: f64) -> Self {
        Pace {
            limit: Mutex::new(RateLimit::per_second(rate_per_s)),
            per_minute: rate_per_s * 60.0,
            turn: tokio::sync::Mutex::new(()),
            started: Instant::now(),
        }
    }

    async fn take(self: &Arc<Self>, amount: f64) -> Hold {
        let _turn = self.turn.lock().await;
        loop {
            match self.reserve(amount) {
                Ok(hold) => return hold,
                Err(ns) => sleep(Duration::from_nanos(ns)).await,
            }
        }
    }

    fn try_take(self: &Arc<Self>, amount: f64) -> Result<Hold, u64> {
        // Whoever waits was here before.
        let _turn = self.turn.try_lock().map_err(|_| 0_u64)?;
        self.reserve(amount)
    }

    fn reserve(self: &Arc<Self>, amount: f64) -> Result<Hold, u64> {
        let reservation = self.limit().reserve(amount, self.now_ns())?;
        Ok(Hold { pace: self.clone(), reservation: Some(reservation) })
    }

    fn limit(&self) -> MutexGuard<'_, RateLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_not_used_is_given_back_and_what_is_unknown_is_not() {
        let upstream = Upstream {
            requests_per_s: Some(10.0),
            tokens_per_s: Some(100.0),
            ..Upstream::new("e", "http://h", "m")
        };
        let rates = Rates::new(&upstream).unwrap();
        let used = |rates: &Rates| rates.in_use().iter().map(|rate| rate.used).collect::<Vec<_>>();
        rates.take(40.0).await.settle(10.0);
        assert_eq!(used(&rates), [1.0, 10.0]);
        rates.take(30.0).await.undo();
        assert_eq!(used(&rates), [1.0, 10.0]);
        drop(rates.take(20.0).await);
        assert_eq!(used(&rates), [2.0, 30.0]);
        assert!(rates.try_take(1_000.0).is_none(), "it would have to wait");
        assert_eq!(used(&rates), [2.0, 30.0]);
    }
}
