//! Which server a call goes to, and the wait until there is one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sage_core::endpoint::ErrorClass;
use sage_core::upstream::{Choice, Health, Look, Seeker, Shunned, look, outage};

use super::super::replica::{All, Replica};
use super::{Shared, Target, Visit};

/// No server may be asked for so long.
pub(in crate::gateway) struct Closed {
    pub(in crate::gateway) wait: Duration,
}

/// There is none now: see [`Choice`].
enum Stay {
    Wait(u64),
    Held(u64),
}

/// A server that was picked for a call.
struct Picked {
    at: usize,
    /// The call is the one that may find out whether it works again.
    trial: bool,
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
                Ok(picked) => return Ok(self.visit(picked, cost)),
                Err(Stay::Wait(ns)) => {
                    let _ = tokio::time::timeout(Duration::from_nanos(ns), news).await;
                }
                Err(Stay::Held(ns)) => {
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
        let picked = self.look(cost, prefix, shunned, Some(first)).ok()?;
        Some(self.visit(picked, cost))
    }

    fn visit(self: &Arc<Self>, picked: Picked, cost: f64) -> Visit {
        let Picked { at, trial } = picked;
        let in_flight = self.replicas[at].health(Health::begin);
        let (target, begun) = (self.clone(), Instant::now());
        Visit { target, at, cost, in_flight, begun, trial, reported: false }
    }

    fn look(
        self: &Arc<Self>,
        cost: f64,
        prefix: u64,
        shunned: &Shunned,
        beside: Option<usize>,
    ) -> Result<Picked, Stay> {
        let seeker = Seeker { shunned, beside, limit: self.limit_of_one() };
        let Look { choice, probes } = look(&mut All(&self.replicas), seeker, self.now_ns());
        for at in (0..self.replicas.len()).filter(|at| probes >> at & 1 == 1) {
            // In a task of its own: the call may have another server to go to, and one that is cut
            // off must not leave the others without an answer.
            let target = self.clone();
            tokio::spawn(async move { target.probe(at).await });
        }
        match choice {
            Choice::Wait(ns) => Err(Stay::Wait(ns)),
            Choice::Held(ns) => Err(Stay::Held(ns)),
            Choice::Among { servers, trial } => {
                let mut shared = self.lock();
                let Shared { choice, rng, .. } = &mut *shared;
                let at = choice.pick(cost, Some(prefix), |at| servers >> at & 1 == 1, rng);
                at.map(|at| Picked { at, trial }).ok_or(Stay::Wait(0))
            }
        }
    }

    /// Of which class a call has failed that got to no server, and the last cause, in words.
    pub(in crate::gateway) fn outage(&self) -> (ErrorClass, String) {
        let class = outage(&mut All(&self.replicas), self.now_ns());
        let last = self.replicas.iter().filter_map(Replica::last_failure).max();
        (class, last.map(|(_, how)| format!("; {how}")).unwrap_or_default())
    }
}
