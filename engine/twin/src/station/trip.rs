//! The way of one call; the gateway's `forward.rs`, cut at its waits.
//!
//! ```text
//! line -> permit -> server up? -> rate -> try -- success ----------------> answer
//!                        ^                 '---- may pass: give the permit back, wait, line up
//!                        '-------------------------------'  again by time of arrival
//! ```
//!
//! What one call's step makes possible for another one is not done at once but put into `ready`, as
//! the gateway's runtime wakes tasks: a step is always finished before the next one begins.

use sage_core::endpoint::ErrorClass;
use sage_core::upstream::Failed;

use super::agenda::Event;
use super::call::Phase;
use super::{Ending, Station};

/// Status of what a server finds fault with.
const REJECTED_STATUS: u16 = 400;

/// A step that can be taken now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wake {
    /// A call has a permit.
    Permit(u64),
    /// A call that found no server looks again.
    Look(u64),
    /// A call has its part of the rates.
    Paced(u64),
    /// A server failed a try.
    Failed(u64, Failed),
}

impl Station {
    /// Take all steps that can be taken now.
    pub(super) fn run_ready(&mut self) {
        while let Some(wake) = self.ready.pop_front() {
            match wake {
                Wake::Permit(call) => self.permit(call),
                Wake::Look(call) => {
                    if self.phase(call) == Some(Phase::Down) {
                        self.choose(call);
                    }
                }
                Wake::Paced(call) => {
                    if self.phase(call) == Some(Phase::Rate) {
                        self.send(call);
                    }
                }
                Wake::Failed(attempt, failed) => self.failed(attempt, failed),
            }
        }
    }

    pub(super) fn phase(&self, call: u64) -> Option<Phase> {
        self.calls.get(&call).map(|call| call.phase)
    }

    /// `calls` have permits now.
    pub(super) fn granted(&mut self, calls: Vec<u64>) {
        self.ready.extend(calls.into_iter().map(Wake::Permit));
    }

    /// A call has a permit.
    fn permit(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.held_ns = now_ns;
        call.phase = Phase::Down;
        self.books.holds(call.job);
        self.choose(number);
    }

    /// A call has a server and wants its part of the rates.
    pub(super) fn pace(&mut self, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.phase = Phase::Rate;
        let tokens = call.tokens;
        let Some(taken) = self.take_or_join(number, tokens) else { return };
        let attempt = self.calls.get(&number).and_then(|call| call.attempt);
        if let Some(attempt) = attempt.and_then(|number| self.attempts.get_mut(&number)) {
            attempt.taken = Some(taken);
        }
        self.send(number);
    }

    /// A try goes out.
    fn send(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(attempt_number) = call.attempt else { return };
        call.phase = Phase::Upstream;
        let again = u64::from(call.tries > 0);
        self.stats.attempts += 1;
        self.stats.retries += again;
        self.books.count(call.job, |job| {
            job.attempts += 1;
            job.retries += again;
        });
        call.tries += 1;
        if let Some(hedger) = self.hedger.as_mut().filter(|_| call.is_idempotent()) {
            hedger.on_call();
            if let Some(after_ns) = hedger.delay_ns() {
                let at_ns = now_ns.saturating_add(after_ns);
                self.agenda.plan(at_ns, Event::Hedge { attempt: attempt_number });
            }
        }
        self.launch(attempt_number);
    }

    /// A try reaches its server.
    pub(super) fn launch(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let fate = self.faults.draw(now_ns);
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        (attempt.sent_ns, attempt.end) = (now_ns, fate.end);
        if fate.delay_ns == 0 {
            self.reach(number);
        } else {
            let at_ns = now_ns.saturating_add(fate.delay_ns);
            self.agenda.plan(at_ns, Event::Reached { attempt: number });
        }
    }

    /// A try has reached its server.
    pub(super) fn reach(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        match attempt.end {
            Some(Ending::Failed(failed)) => {
                self.ready.push_back(Wake::Failed(number, failed));
                return;
            }
            Some(Ending::Silence) => return,
            None => {}
        }
        let Some(call) = self.calls.get(&attempt.call) else { return };
        let server = &mut self.servers[attempt.at];
        let started = server.start((number, attempt), &call.items, &mut self.agenda, now_ns);
        attempt.running = started.is_ok();
        if started.is_err() {
            server.cut_off((number, attempt), &mut self.agenda, now_ns);
            let class = ErrorClass::Rejected;
            let failed = Failed { class, status: Some(REJECTED_STATUS), retry_after_ns: None };
            self.ready.push_back(Wake::Failed(number, failed));
        }
    }

    /// The end of a call's time between two tries.
    pub(super) fn retry(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.phase = Phase::Line;
        if self.line.resume(call.ticket, now_ns) {
            self.permit(number);
        }
    }
}
