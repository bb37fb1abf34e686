//! Rate limits of an endpoint, kept in order of arrival: the pure pair of them behind a lock, with
//! wakers and a timer for the call whose turn it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sage_core::upstream::{Rates as Pair, Taken as Parts, Turn};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::GatewayError;
use super::config::Upstream;

/// Requests and tokens a minute.
pub(super) struct Rates(Arc<Shared>);

/// How a limit is used now.
pub(super) struct RateUse {
    /// `requests` or `tokens`.
    pub(super) of: &'static str,
    /// What a minute may have.
    pub(super) limit: f64,
    /// What the last minute had.
    pub(super) used: f64,
}

struct Shared {
    state: Mutex<State>,
    /// Requests and tokens, each where it is limited.
    per_minute: [Option<f64>; 2],
    started: Instant,
}

struct State {
    pair: Pair,
    /// Who wakes a call in the line when its turn comes, by its number.
    line: HashMap<u64, Arc<Notify>>,
    last: u64,
}

/// What one try has taken of both limits. Dropped without a word it stays taken: what a try that
/// was cut off has used is not known.
pub(super) struct Taken {
    shared: Arc<Shared>,
    parts: Option<Parts>,
}

/// A place in the line; dropped, it is given up.
struct Place<'a> {
    shared: &'a Arc<Shared>,
    number: u64,
    woken: Arc<Notify>,
}

impl Rates {
    pub(super) fn new(upstream: &Upstream) -> Result<Rates, GatewayError> {
        let Upstream { requests_per_s, tokens_per_s, .. } = *upstream;
        for (rate, what) in [(requests_per_s, "requests"), (tokens_per_s, "tokens")] {
            if let Some(rate) = rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
                return Err(GatewayError::Config(format!(
                    "endpoint `{}`: {what} per second must be above 0, not {rate}",
                    upstream.name
                )));
            }
        }
        let pair = Pair::new(requests_per_s, tokens_per_s);
        Ok(Rates(Arc::new(Shared {
            state: Mutex::new(State { pair, line: HashMap::new(), last: 0 }),
            per_minute: [requests_per_s, tokens_per_s].map(|rate| rate.map(|rate| rate * 60.0)),
            started: Instant::now(),
        })))
    }

    /// Wait until one request with `tokens` tokens may go.
    pub(super) async fn take(&self, tokens: f64) -> Taken {
        if let Some(taken) = self.try_take(tokens) {
            return taken;
        }
        let place = self.0.join(tokens);
        loop {
            match place.ask() {
                Turn::Taken(parts) => {
                    return Taken { shared: self.0.clone(), parts: Some(parts) };
                }
                Turn::Wait(ns) => sleep(Duration::from_nanos(ns)).await,
                Turn::Behind => place.woken.notified().await,
            }
        }
    }

    /// The same if it may go at once.
    pub(super) fn try_take(&self, tokens: f64) -> Option<Taken> {
        let parts = self.0.lock().pair.take_at_once(tokens, self.0.now_ns())?;
        Some(Taken { shared: self.0.clone(), parts: Some(parts) })
    }

    pub(super) fn in_use(&self) -> Vec<RateUse> {
        let used = self.0.lock().pair.used(self.0.now_ns());
        let known = ["requests", "tokens"].into_iter().zip(self.0.per_minute).zip(used);
        known
            .filter_map(|((of, limit), used)| Some(RateUse { of, limit: limit?, used: used? }))
            .collect()
    }
}

impl Taken {
    /// The try used so many tokens; a failed one none.
    pub(super) fn settle(mut self, tokens: f64) {
        self.end(Some(tokens));
    }

    /// The upstream has never seen the try.
    pub(super) fn undo(mut self) {
        if let Some(parts) = self.parts.take() {
            self.shared.lock().pair.undo(parts, self.shared.now_ns());
        }
    }

    fn end(&mut self, tokens: Option<f64>) {
        if let Some(parts) = self.parts.take() {
            self.shared.lock().pair.settle(parts, tokens, self.shared.now_ns());
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl Place<'_> {
    fn ask(&self) -> Turn {
        self.shared.lock().pair.ask(self.number, self.shared.now_ns())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.line.remove(&self.number);
        state.pair.leave(self.number);
        // Whoever has been first knows it already, and asks once more than it has to.
        if let Some(next) = state.pair.first().and_then(|first| state.line.get(&first)) {
            next.notify_one();
        }
    }
}

impl Shared {
    fn join(self: &Arc<Self>, tokens: f64) -> Place<'_> {
        let mut state = self.lock();
        state.last += 1;
        let (number, woken) = (state.last, Arc::new(Notify::new()));
        state.pair.join(number, tokens);
        state.line.insert(number, woken.clone());
        Place { shared: self, number, woken }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(requests_per_s: f64, tokens_per_s: f64) -> Arc<Rates> {
        let (requests_per_s, tokens_per_s) = (Some(requests_per_s), Some(tokens_per_s));
        let upstream = Upstream::new("e", "http://h", "m");
        let upstream = Upstream { requests_per_s, tokens_per_s, ..upstream };
        Arc::new(Rates::new(&upstream).unwrap())
    }

    fn used(rates: &Rates) -> Vec<f64> {
        rates.in_use().iter().map(|rate| rate.used).collect()
    }

    #[tokio::test]
    async fn what_was_not_used_is_given_back_and_what_is_unknown_is_not() {
        let rates = rates(10.0, 100.0);
        rates.take(40.0).await.settle(10.0);
        assert_eq!(used(&rates), [1.0, 10.0]);
        rates.take(30.0).await.undo();
        assert_eq!(used(&rates), [1.0, 10.0]);
        drop(rates.take(20.0).await);
        assert_eq!(used(&rates), [2.0, 30.0]);
        assert!(rates.try_take(1_000.0).is_none(), "it would have to wait");
        assert_eq!(used(&rates), [2.0, 30.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_tokens_holds_no_request_and_all_go_in_order_of_arrival() {
        let rates = rates(10.0, 10.0);
        drop(rates.take(10.0).await);
        let sent = Arc::new(Mutex::new(Vec::new()));
        let calls: Vec<_> = (0..5)
            .map(|call| {
                let (rates, sent) = (rates.clone(), sent.clone());
                tokio::spawn(async move {
                    drop(rates.take(10.0).await);
                    sent.lock().unwrap().push(call);
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(used(&rates), [1.0, 10.0], "five wait and hold nothing");
        // The one whose turn it is, and one behind it.
        calls[0].abort();
        calls[3].abort();
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(*sent.lock().unwrap(), [1, 2, 4]);
        assert_eq!(used(&rates), [4.0, 40.0]);
    }
}
