//! Which server a call goes to, and the wait until there is one; the gateway's `target/choice.rs`.

use sage_core::endpoint::ErrorClass;
use sage_core::upstream::settings::LOOK_AGAIN_NS;
use sage_core::upstream::{
    Choice, Effect, Look, News, Seeker, joint_limit, limit_of_one, look, outage,
};

use super::Station;
use super::agenda::Event;
use super::call::{Attempt, Phase};
use super::server::All;
use super::trip::Wake;

/// A server that was picked for a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picked {
    at: usize,
    /// The call is the one that may find out whether it works again.
    trial: bool,
}

/// There is none now: see [`Choice`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Stay {
    Wait(u64),
    Held(u64),
}

/// Calls that look for a server, in order, each with the time at which it looks again.
#[derive(Debug, Default)]
pub(super) struct Seekers {
    all: Vec<(u64, u64)>,
    /// The next time at which one of them looks.
    pub(super) look_ns: Option<u64>,
}

impl Station {
    /// `call` has a permit and wants a server.
    pub(super) fn choose(&mut self, number: u64) {
        let now_ns = self.now_ns;
        let wait_ns = match self.look(number, None) {
            Ok(picked) => {
                let attempt = self.visit(number, picked);
                if let Some(call) = self.calls.get_mut(&number) {
                    call.attempt = attempt;
                }
                self.pace(number);
                return;
            }
            Err(Stay::Wait(ns)) => ns,
            Err(Stay::Held(ns)) => {
                let deadline_ns = self.calls.get(&number).map_or(0, |call| call.deadline_ns);
                if ns >= deadline_ns.saturating_sub(now_ns) {
                    self.leave(number, Err(ErrorClass::Throttled), None);
                    return;
                }
                ns
            }
        };
        if let Some(call) = self.calls.get_mut(&number) {
            call.phase = Phase::Down;
            let at_ns = now_ns.saturating_add(wait_ns.max(1));
            self.seekers.all.push((number, at_ns));
            self.plan_look(at_ns);
        }
    }

    fn plan_look(&mut self, at_ns: u64) {
        if self.seekers.look_ns.is_none_or(|planned| at_ns < planned) {
            self.seekers.look_ns = Some(at_ns);
            self.agenda.plan(at_ns, Event::Look);
        }
    }

    /// Those whose time it is look again.
    pub(super) fn look_again(&mut self) {
        let now_ns = self.now_ns;
        let ready = &mut self.ready;
        self.seekers.look_ns = None;
        self.seekers.all.retain(|&(call, at_ns)| {
            let due = at_ns <= now_ns;
            if due {
                ready.push_back(Wake::Look(call));
            }
            !due
        });
        if let Some(next) = self.seekers.all.iter().map(|&(_, at_ns)| at_ns).min() {
            self.plan_look(next);
        }
    }

    /// A server is back, or has a free place: all look again.
    pub(super) fn news(&mut self) {
        let calls = self.seekers.all.drain(..);
        self.ready.extend(calls.map(|(call, _)| Wake::Look(call)));
        self.seekers.look_ns = None;
    }

    /// `call` does not look any more.
    pub(super) fn seeks_no_more(&mut self, call: u64) {
        self.seekers.all.retain(|&(other, _)| other != call);
    }

    /// Where a call can go now; `beside`: it is a second try beside the one at that server.
    pub(super) fn look(&mut self, number: u64, beside: Option<usize>) -> Result<Picked, Stay> {
        let mut looked = self.looked(number, beside).ok_or(Stay::Wait(LOOK_AGAIN_NS))?;
        if looked.probes != 0 {
            self.probe(looked.probes);
            looked = self.looked(number, beside).ok_or(Stay::Wait(LOOK_AGAIN_NS))?;
        }
        let Some(call) = self.calls.get(&number) else { return Err(Stay::Wait(LOOK_AGAIN_NS)) };
        match looked.choice {
            Choice::Wait(ns) => Err(Stay::Wait(ns)),
            Choice::Held(ns) => Err(Stay::Held(ns)),
            Choice::Among { servers, trial } => {
                let usable = |at: usize| servers >> at & 1 == 1;
                let picked =
                    self.choice.pick(call.tokens, Some(call.prefix), usable, &mut self.rng);
                picked.map(|at| Picked { at, trial }).ok_or(Stay::Wait(0))
            }
        }
    }

    fn looked(&mut self, number: u64, beside: Option<usize>) -> Option<Look> {
        let servers = &mut All(&mut self.servers);
        let limit = limit_of_one(self.fixed, servers);
        let shunned = &self.calls.get(&number)?.shunned;
        Some(look(servers, Seeker { shunned, beside, limit }, self.now_ns))
    }

    /// Asks servers that could not be reached, by bits, whether they are back. A probe takes no time:
    /// it is a connection.
    fn probe(&mut self, probes: u64) {
        let now_ns = self.now_ns;
        let there = self.faults.are_there(now_ns);
        for at in (0..self.servers.len()).filter(|at| probes >> at & 1 == 1) {
            let health = &mut self.servers[at].health;
            let effect =
                if there { health.reached() } else { health.unreachable(now_ns, &mut self.rng) };
            if effect.adjust {
                self.adjust();
            }
        }
    }

    /// `call` takes a place at a server that was picked for it.
    pub(super) fn visit(&mut self, number: u64, picked: Picked) -> Option<u64> {
        let Picked { at, trial } = picked;
        let call = self.calls.get(&number)?;
        let attempt = Attempt {
            call: number,
            at,
            kind: call.kind,
            cost: call.tokens,
            begun_ns: self.now_ns,
            sent_ns: self.now_ns,
            in_flight: self.servers[at].health.begin(),
            trial,
            taken: None,
            end: None,
            running: false,
            failed: false,
            reported: false,
            answers: self.servers[at].answers(&call.items),
            open: call.items.len(),
            first_token_ns: None,
        };
        let attempt_number = self.number();
        self.attempts.insert(attempt_number, attempt);
        Some(attempt_number)
    }

    /// A try leaves its server.
    pub(super) fn end_visit(&mut self, attempt: &Attempt) {
        let health = &mut self.servers[attempt.at].health;
        if attempt.trial && !attempt.reported {
            health.no_news(self.now_ns);
        }
        health.end();
        self.choice.finished(attempt.at, attempt.cost);
        if self.servers.len() > 1 {
            self.news();
        }
    }

    /// Tell a server's limiter something, and let it steer.
    pub(super) fn steer(&mut self, at: usize, news: News) {
        let (_, waiting) = self.line.load();
        if self.servers[at].health.steer(news, waiting, self.now_ns) {
            self.adjust();
            self.news();
        }
    }

    /// Tell everyone whom it concerns.
    pub(super) fn pass_on(&mut self, effect: Effect) {
        if effect.adjust {
            self.adjust();
        }
        if effect.news {
            self.news();
        }
    }

    /// Give the line the limit that the servers make together.
    pub(super) fn adjust(&mut self) {
        let limit = self.fixed.unwrap_or_else(|| joint_limit(&mut All(&mut self.servers)));
        let granted = self.line.set_limit(limit, self.now_ns);
        self.granted(granted);
    }

    /// Of which class a call has failed that got to no server.
    pub(super) fn outage(&mut self) -> ErrorClass {
        outage(&mut All(&mut self.servers), self.now_ns)
    }
}
