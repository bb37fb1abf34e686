//! Which server a call goes to, and the wait until there is one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sage_core::endpoint::ErrorClass;
use sage_core::retry::UpstreamState;

use super::super::replica::Usable;
use super::super::transport;
use super::{Shared, Target, Visit};

/// Where a call would rather not go.
#[derive(Default)]
pub(in crate::gateway) struct Shunned {
    /// The server that failed it last: only if there is no other.
    last: Option<usize>,
    /// Servers that refused it, each with the time until which it is not asked again.
    refused: Vec<(usize, u64)>,
}

impl Shunned {
    /// `at` failed the call.
    pub(in crate::gateway) fn failed(&mut self, at: usize) {
        self.last = Some(at);
    }

    /// `at` asked the call to stay away until `until_ns`.
    pub(in crate::gateway) fn refused(&mut self, at: usize, until_ns: u64) {
        self.refused.retain(|&(other, _)| other != at);
        self.refused.push((at, until_ns));
    }

    /// How long the call has to stay away from `at`, nanoseconds.
    pub(in crate::gateway) fn wait(&self, at: usize, now_ns: u64) -> u64 {
        let asked = self.refused.iter().find(|(other, _)| *other == at);
        asked.map_or(0, |(_, until_ns)| until_ns.saturating_sub(now_ns))
    }
}

/// No server may be asked for so long.
pub(in crate::gateway) struct Closed {
    pub(in crate::gateway) wait: Duration,
}

enum Choice {
    Go {
        at: usize,
        trial: bool,
    },
    /// Nothing is possible now; look again after so many nanoseconds, or at news.
    Wait(u64),
    /// Everyone asks to be left alone for at least so many nanoseconds.
    Held(u64),
}

impl Target {
    /// Wait for a server and take a place at it.
    pub(in crate::gateway) async fn choose(
        self: &Arc<Self>,
        cost: f64,
        prefix: u64,
        shunned: &Shunned,
        deadline: tokio::time::Instant,
    ) -> Result<Visit, Closed> {
        loop {
            // Registered before the question, else the news in between would be missed.
            let news = self.news.notified();
            match self.look(cost, prefix, shunned, None) {
                Choice::Go { at, trial } => return Ok(self.visit(at, trial, cost)),
                Choice::Wait(ns) => {
                    let _ = tokio::time::timeout(Duration::from_nanos(ns), news).await;
                }
                Choice::Held(ns) => {
                    let wait = Duration::from_nanos(ns);
                    if wait >= deadline.saturating_duration_since(tokio::time::Instant::now()) {
                        return Err(Closed { wait });
                    }
                    let _ = tokio::time::timeout(wait, news).await;
                }
            }
        }
    }

    /// A place at another server than `first`, or at the same one if it is alone, right now.
    pub(in crate::gateway) fn choose_now(
        self: &Arc<Self>,
        cost: f64,
        prefix: u64,
        shunned: &Shunned,
        first: usize,
    ) -> Option<Visit> {
        match self.look(cost, prefix, shunned, Some(first)) {
            Choice::Go { at, trial } => Some(self.visit(at, trial, cost)),
            Choice::Wait(_) | Choice::Held(_) => None,
        }
    }

    fn visit(self: &Arc<Self>, at: usize, trial: bool, cost: f64) -> Visit {
        let in_flight = self.replicas[at].begin();
        let (target, begun) = (self.clone(), Instant::now());
        Visit { target, at, cost, in_flight, begun, trial, reported: false }
    }

    fn look(
        self: &Arc<Self>,
        cost: f64,
        prefix: u64,
        shunned: &Shunned,
        first: Option<usize>,
    ) -> Choice {
        let now = self.now_ns();
        let avoid = first.or(shunned.last);
        let limit = self.limit_of_one();
        let (mut usable, mut wait, mut held) = (0_u64, u64::MAX, u64::MAX);
        let mut trial = None;
        for (i, replica) in self.replicas.iter().enumerate() {
            let own = shunned.wait(i, now);
            if own > 0 {
                held = held.min(own.max(replica.held_ns(now)));
                continue;
            }
            match replica.usable(limit, now) {
                Usable::Yes => usable |= 1 << i,
                // One call at a time is asked to; it has the others to fall back on.
                Usable::Trial if trial.is_none() => trial = Some(i),
                Usable::Trial => replica.no_news(now),
                Usable::Full => wait = wait.min(1_000_000_000),
                Usable::Held(ns) => held = held.min(ns),
                Usable::Down(ns) => wait = wait.min(ns),
                Usable::Probe => {
                    // In a task of its own: the call may have another server to go to, and one that
                    // is cut off must not leave the others without an answer.
                    let target = self.clone();
                    tokio::spawn(async move { target.probe(i).await });
                    wait = wait.min(transport::CONNECT_TIMEOUT.as_nanos() as u64);
                }
            }
        }
        if let Some(i) = trial {
            if usable == 0 || avoid != Some(i) {
                return self.pick(1 << i, cost, prefix, true).unwrap_or(Choice::Wait(wait));
            }
            self.replicas[i].no_news(now);
        }
        let others = avoid.map_or(usable, |avoid| usable & !(1 << avoid));
        let usable = if others == 0 { usable } else { others };
        if let Some(choice) = self.pick(usable, cost, prefix, false) {
            return choice;
        }
        // Only if there is nobody else to wait for.
        if wait == u64::MAX { Choice::Held(held) } else { Choice::Wait(wait.min(held)) }
    }

    /// Of which class a call has failed that got to no server, and the last cause, in words.
    pub(in crate::gateway) fn outage(&self) -> (ErrorClass, String) {
        let now = self.now_ns();
        let (mut failing, mut held, mut last) = (false, false, None);
        for replica in &self.replicas {
            let (state, failure) = replica.condition();
            failing |= state == UpstreamState::Failing;
            held |= state == UpstreamState::Up && replica.held_ns(now) > 0;
            last = last.max(failure);
        }
        let class = match (failing, held) {
            (true, _) => ErrorClass::Server,
            (false, true) => ErrorClass::Throttled,
            (false, false) => ErrorClass::Unreachable,
        };
        (class, last.map(|(_, how)| format!("; {how}")).unwrap_or_default())
    }

    fn pick(&self, usable: u64, cost: f64, prefix: u64, trial: bool) -> Option<Choice> {
        let mut shared = self.lock();
        let Shared { choice, rng, .. } = &mut *shared;
        let at = choice.pick(cost, Some(prefix), |i| usable & (1 << i) != 0, rng)?;
        Some(Choice::Go { at, trial })
    }
}
