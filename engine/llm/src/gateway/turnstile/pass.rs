//! A call's presence at the turnstile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sage_core::endpoint::{ErrorClass, Lane};
use sage_core::fair::{Admission, CostEstimator, FlowId, Ticket};
use tokio::sync::oneshot;

use super::{Turnstile, Usage, Visitor};

/// See the module.
pub(in crate::gateway) struct Pass {
    turnstile: Arc<Turnstile>,
    ticket: Ticket,
    owner: Owner,
    stage: Stage,
    tries: u32,
    hedges: u32,
    entered: Instant,
    /// When it got the permit that it holds.
    held: Option<Instant>,
}

pub(super) enum Stage {
    Waiting(oneshot::Receiver<()>),
    Holding,
    Paused,
    Gone,
}

/// Whose call it is, and what it is like.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) account: usize,
    pub(super) flow: FlowId,
    /// Calls with the same key get answers of like length.
    pub(super) key: u64,
    lane: Lane,
    stage: Option<u32>,
    input: f64,
}

impl Owner {
    pub(super) fn new(visitor: &Visitor<'_>, account: usize, flow: FlowId, key: u64) -> Owner {
        let Visitor { lane, stage, input, .. } = *visitor;
        Owner { account, flow, key, lane, stage, input }
    }
}

impl Pass {
    pub(super) fn new(
        turnstile: Arc<Turnstile>,
        ticket: Ticket,
        stage: Stage,
        owner: Owner,
    ) -> Pass {
        let entered = Instant::now();
        let held = matches!(stage, Stage::Holding).then_some(entered);
        Pass { turnstile, ticket, owner, stage, tries: 0, hedges: 0, entered, held }
    }

    /// Wait for a permit. At once if the pass holds one.
    pub(in crate::gateway) async fn permit(&mut self) {
        if let Stage::Waiting(woken) = &mut self.stage {
            // The sender is dropped without a word only together with the whole line.
            drop(woken.await);
            self.stage = Stage::Holding;
            self.held = Some(Instant::now());
        }
    }

    /// Give the permit back until [`resume`](Self::resume), keeping the place by arrival.
    pub(in crate::gateway) fn pause(&mut self) {
        if matches!(self.stage, Stage::Holding) {
            let now = self.turnstile.now_ns();
            let mut state = self.turnstile.lock();
            let counters = &mut state.accounts[self.owner.account].counters;
            counters.in_flight -= 1;
            counters.queued += 1;
            let next = state.queue.pause(self.ticket, now);
            state.wake(next);
            self.stage = Stage::Paused;
        }
    }

    /// Ask for a permit again; then wait with [`permit`](Self::permit).
    pub(in crate::gateway) fn resume(&mut self) {
        if matches!(self.stage, Stage::Paused) {
            let now = self.turnstile.now_ns();
            let mut state = self.turnstile.lock();
            self.stage = if let Admission::Granted(_) = state.queue.resume(self.ticket, now) {
                state.hold(self.owner.account);
                self.held = Some(Instant::now());
                Stage::Holding
            } else {
                Stage::Waiting(state.wait(self.ticket, self.owner.account))
            };
        }
    }

    /// A try begins. Counted before its outcome is known, because a try that is cut off half way
    /// has reached the upstream, too.
    pub(in crate::gateway) fn begin_try(&mut self) {
        let mut state = self.turnstile.lock();
        if self.tries == 0 {
            state.queue_wait.observe(self.entered.elapsed());
        }
        let counters = &mut state.accounts[self.owner.account].counters;
        counters.attempts += 1;
        counters.retries += u64::from(self.tries > 0);
        self.tries += 1;
    }

    /// The try made no connection: the upstream never saw it.
    pub(in crate::gateway) fn undo_try(&mut self) {
        let mut state = self.turnstile.lock();
        self.tries -= 1;
        let counters = &mut state.accounts[self.owner.account].counters;
        counters.attempts -= 1;
        counters.retries -= u64::from(self.tries > 0);
    }

    /// The upstream was too busy for the try.
    pub(in crate::gateway) fn shed(&self) {
        self.turnstile.lock().accounts[self.owner.account].counters.shed += 1;
    }

    /// A permit for a second try beside the first, if one is free and nobody waits for it.
    pub(in crate::gateway) fn extra(&mut self) -> Option<Extra> {
        let Owner { account, flow, lane, .. } = self.owner;
        let now = self.turnstile.now_ns();
        let mut state = self.turnstile.lock();
        if state.queue.waiting() > 0 || state.queue.in_flight() >= state.queue.limit() {
            return None;
        }
        // What it really uses is not known: the loser is cut off. It is paid as its prompt.
        match state.queue.request(flow, lane, self.owner.input.max(1.0), now) {
            Admission::Granted(ticket) => {
                let counters = &mut state.accounts[account].counters;
                counters.hedges += 1;
                counters.attempts += 1;
                self.hedges += 1;
                Some(Extra { turnstile: self.turnstile.clone(), ticket })
            }
            Admission::Queued(ticket) => {
                state.queue.cancel(ticket);
                None
            }
            Admission::Full => None,
        }
    }

    #[cfg(test)]
    pub(super) fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }

    /// Tries so far.
    pub(in crate::gateway) fn tries(&self) -> u32 {
        self.tries + self.hedges
    }

    /// The call is over.
    pub(in crate::gateway) fn leave(mut self, outcome: Result<Usage, ErrorClass>) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: Result<Usage, ErrorClass>) {
        let now = self.turnstile.now_ns();
        let Owner { account, key, stage: number, input, .. } = self.owner;
        let mut state = self.turnstile.lock();
        let stage = std::mem::replace(&mut self.stage, Stage::Gone);
        // A server that counts no tokens is believed to have used what was expected.
        let usage = outcome.as_ref().ok().filter(|usage| usage.total() > 0);
        let actual = usage.map(|usage| {
            let paid_input =
                if usage.prompt_tokens > 0 { usage.prompt_tokens as f64 } else { input };
            state.costs.observe(key, usage.completion_tokens as f64);
            CostEstimator::cost(paid_input, usage.completion_tokens as f64)
        });
        let next = match stage {
            Stage::Gone => return,
            Stage::Paused => {
                state.queue.forget_paused(self.ticket);
                state.accounts[account].counters.queued -= 1;
                Vec::new()
            }
            Stage::Waiting(_) if state.queue.cancel(self.ticket) => {
                state.waiting.remove(&self.ticket);
                state.accounts[account].counters.queued -= 1;
                Vec::new()
            }
            // A waiting pass that is not in the line was given a permit this very moment.
            Stage::Waiting(_) | Stage::Holding => {
                state.accounts[account].counters.in_flight -= 1;
                state.queue.release(self.ticket, actual, now)
            }
        };
        state.wake(next);
        let counters = &mut state.accounts[account].counters;
        match outcome {
            Ok(usage) => {
                let cost = self.turnstile.price.of(usage.prompt_tokens, usage.completion_tokens);
                counters.ok += 1;
                counters.prompt_tokens += usage.prompt_tokens;
                counters.completion_tokens += usage.completion_tokens;
                counters.cost += cost;
                if let Some(stage) = state.accounts.stage(account, number) {
                    stage.ok += 1;
                    stage.prompt_tokens += usage.prompt_tokens;
                    stage.completion_tokens += usage.completion_tokens;
                    stage.cost += cost;
                }
                state.latency.observe(self.entered.elapsed());
                let service = self.held.map_or(Duration::ZERO, |held| held.elapsed()).as_secs_f64();
                state.usual.observe(service);
            }
            Err(class) => counters.errors.count(class),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // Left in the middle: its client went away.
        self.settle(Err(ErrorClass::Cancelled));
    }
}

/// A permit beside that of a pass.
pub(in crate::gateway) struct Extra {
    turnstile: Arc<Turnstile>,
    ticket: Ticket,
}

impl Drop for Extra {
    fn drop(&mut self) {
        let now = self.turnstile.now_ns();
        let mut state = self.turnstile.lock();
        let next = state.queue.release(self.ticket, None, now);
        state.wake(next);
    }
}
