//! Which server a call goes to, and the wait until there is one; the gateway's `target/choice.rs`.

use sage_core::endpoint::ErrorClass;

use super::Station;
use super::agenda::Event;
use super::call::{Attempt, Phase};
use super::health::{News, Usable};
use super::paces::Taken;
use super::settings::LOOK_AGAIN_NS;
use super::trip::Wake;

/// See [`Station::look`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Choice {
    Go {
        at: usize,
        trial: bool,
    },
    /// Nothing is possible now; look again after so many nanoseconds, or at news.
    Wait(u64),
    /// Everyone asks to be left alone for at least so many nanoseconds.
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
            Choice::Go { at, trial } => {
                let attempt = self.visit(number, at, trial);
                if let Some(call) = self.calls.get_mut(&number) {
                    call.attempt = attempt;
                }
                self.pace(number);
                return;
            }
            Choice::Wait(ns) => ns,
            Choice::Held(ns) => {
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

    /// What `call` can do now; `first`: a second try beside the one at that server.
    pub(super) fn look(&mut self, number: u64, first: Option<usize>) -> Choice {
        let now_ns = self.now_ns;
        let limit = self.limit_of_one();
        let Some(call) = self.calls.get(&number) else { return Choice::Wait(LOOK_AGAIN_NS) };
        let avoid = first.or(call.shunned.last);
        let (mut usable, mut wait, mut held) = (0_u64, u64::MAX, u64::MAX);
        let mut trial = None;
        for (i, server) in self.servers.iter_mut().enumerate() {
            let health = &mut server.health;
            let own = call.shunned.wait(i, now_ns);
            if own > 0 {
                held = held.min(own.max(health.held_ns(now_ns)));
                continue;
            }
            match health.usable(limit, now_ns) {
                Usable::Yes => usable |= 1 << i,
                Usable::Trial if trial.is_none() => trial = Some(i),
                Usable::Trial => health.no_news(now_ns),
                Usable::Full => wait = wait.min(LOOK_AGAIN_NS),
                Usable::Held(ns) => held = held.min(ns),
                Usable::Down(ns) => wait = wait.min(ns),
            }
        }
        let (tokens, prefix) = (call.tokens, call.prefix);
        if let Some(i) = trial {
            if usable == 0 || avoid != Some(i) {
                return self.pick(1 << i, tokens, prefix, true).unwrap_or(Choice::Wait(wait));
            }
            self.servers[i].health.no_news(now_ns);
        }
        let others = avoid.map_or(usable, |avoid| usable & !(1 << avoid));
        let usable = if others == 0 { usable } else { others };
        if let Some(choice) = self.pick(usable, tokens, prefix, false) {
            return choice;
        }
        // Only if there is nobody else to wait for.
        if wait == u64::MAX { Choice::Held(held) } else { Choice::Wait(wait.min(held)) }
    }

    fn pick(&mut self, usable: u64, cost: f64, prefix: u64, trial: bool) -> Option<Choice> {
        let at = self.choice.pick(cost, Some(prefix), |i| usable & (1 << i) != 0, &mut self.rng)?;
        Some(Choice::Go { at, trial })
    }

    /// `call` takes a place at a server that was picked for it.
    pub(super) fn visit(&mut self, number: u64, at: usize, trial: bool) -> Option<u64> {
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
            taken: Taken::default(),
            running: false,
            failed: false,
            answers: self.servers[at].answers(&call.items),
            open: call.items.len(),
            first_token_ns: None,
        };
        let attempt_number = self.number();
        self.attempts.insert(attempt_number, attempt);
        Some(attempt_number)
    }

    /// A try leaves its server; `reported`: the server's state knows what came of it.
    pub(super) fn end_visit(&mut self, attempt: &Attempt, reported: bool) {
        let health = &mut self.servers[attempt.at].health;
        if attempt.trial && !reported {
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

    /// Give the line the limit that the servers make together.
    pub(super) fn adjust(&mut self) {
        let limits = |also_down: bool| -> u32 {
            let counted = self.servers.iter().map(|server| &server.health);
            let counted = counted.filter(|health| also_down || !health.is_down());
            counted.filter_map(super::health::Health::limit).sum()
        };
        let limit = self.fixed.unwrap_or_else(|| match limits(false) {
            // When all are down the calls wait for them with permits: those they will have.
            0 => limits(true),
            up => up,
        });
        let granted = self.line.set_limit(limit, self.now_ns);
        self.granted(granted);
    }

    /// The part of a fixed limit that one server may have.
    fn limit_of_one(&self) -> u32 {
        let Some(fixed) = self.fixed.filter(|_| self.servers.len() > 1) else { return u32::MAX };
        let up = self.servers.iter().filter(|server| !server.health.is_down()).count();
        fixed.div_ceil(up.max(1) as u32)
    }

    /// Of which class a call has failed that got to no server.
    pub(super) fn outage(&self) -> ErrorClass {
        let any = |is: &dyn Fn(&super::health::Health) -> bool| {
            self.servers.iter().any(|server| is(&server.health))
        };
        if any(&|health| health.is_failing()) {
            ErrorClass::Server
        } else if any(&|health| health.held_ns(self.now_ns) > 0) {
            ErrorClass::Throttled
        } else {
            ErrorClass::Unreachable
        }
    }
}
