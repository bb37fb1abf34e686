//! Lets time go on: takes what was planned in its order, and gives each event to whom it concerns.

use super::Station;
use super::agenda::Event;
use super::call::{ITEM_BITS, Phase};
use super::server::Backend;

/// Which item of its call a request is.
const ITEM: u64 = (1 << ITEM_BITS) - 1;

impl Station {
    /// Take all events before `until_ns`, and with `also` those of that moment.
    pub(super) fn run(&mut self, until_ns: u64, also: bool) {
        let due = |at_ns: u64| at_ns < until_ns || (also && at_ns == until_ns);
        loop {
            let planned = self.next_event();
            let deadline = self.deadlines.first().copied();
            // What comes at the last moment comes in time.
            match (planned, deadline) {
                (Some((at_ns, event)), deadline)
                    if due(at_ns) && deadline.is_none_or(|(end_ns, _)| at_ns <= end_ns) =>
                {
                    self.agenda.pop();
                    self.now_ns = self.now_ns.max(at_ns);
                    self.take(event);
                }
                (_, Some((end_ns, call))) if due(end_ns) => {
                    self.now_ns = self.now_ns.max(end_ns);
                    self.expire(call);
                }
                _ => return,
            }
            self.run_ready();
        }
    }

    /// The next event that is not stale.
    pub(super) fn next_event(&mut self) -> Option<(u64, Event)> {
        loop {
            let (at_ns, event) = self.agenda.next()?;
            let stands = match event {
                Event::Generated { .. } | Event::Embedded { .. } | Event::Poll { .. } => true,
                Event::Served { attempt }
                | Event::Hedge { attempt }
                | Event::Reached { attempt } => self.attempts.contains_key(&attempt),
                Event::Retry { call } => self.phase(call) == Some(Phase::Backoff(at_ns)),
                Event::Look => self.seekers.look_ns == Some(at_ns),
                Event::Turn => self.paces.sleeps_until(at_ns),
            };
            if stands {
                return Some((at_ns, event));
            }
            self.agenda.pop();
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Generated { server } => self.generated(server),
            Event::Embedded { server } => self.embedded(server),
            Event::Served { attempt } => self.served(attempt),
            Event::Reached { attempt } => self.reach(attempt),
            Event::Retry { call } => self.retry(call),
            Event::Look => self.look_again(),
            Event::Turn => self.wake_first(),
            Event::Poll { server } => self.poll(server),
            Event::Hedge { attempt } => self.hedge(attempt),
        }
    }

    /// A step of a generator ends, and the next one begins: with what its tokens have led to.
    fn generated(&mut self, server: usize) {
        let now_ns = self.now_ns;
        let Backend::Vllm { generator, .. } = &mut self.servers[server].backend else { return };
        let tokens = generator.end();
        for token in &tokens {
            if token.produced == 1 || token.finish.is_some() {
                self.token(token.id, token.produced, token.finish.is_some());
            }
        }
        self.run_ready();
        let Backend::Vllm { generator, .. } = &mut self.servers[server].backend else { return };
        if let Some(at_ns) = generator.begin(tokens, now_ns) {
            self.agenda.plan(at_ns, Event::Generated { server });
        }
    }

    /// The first or the last token of a request. One whose try is over is no longer of interest.
    fn token(&mut self, request: u64, produced: u32, last: bool) {
        let (number, item) = (request >> ITEM_BITS, request & ITEM);
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        if item == 0 && produced == 1 {
            attempt.first_token_ns = Some(self.now_ns);
        }
        if last {
            if let Some(answer) = attempt.answers.get_mut(item as usize) {
                answer.1 = produced;
            }
            self.item_done(number);
        }
    }

    /// A batch of an embedding model ends, and the next one begins.
    fn embedded(&mut self, server: usize) {
        let now_ns = self.now_ns;
        let Backend::Vllm { texts, .. } = &mut self.servers[server].backend else { return };
        for request in texts.end() {
            self.item_done(request >> ITEM_BITS);
        }
        self.run_ready();
        let Backend::Vllm { texts, .. } = &mut self.servers[server].backend else { return };
        if let Some(at_ns) = texts.begin(now_ns) {
            self.agenda.plan(at_ns, Event::Embedded { server });
        }
    }

    /// An item of a try is answered.
    fn item_done(&mut self, number: u64) {
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        attempt.open = attempt.open.saturating_sub(1);
        if attempt.open == 0 {
            attempt.running = false;
            self.succeeded(number);
        }
    }

    /// A server without a model has answered.
    fn served(&mut self, number: u64) {
        let Some(attempt) = self.attempts.get_mut(&number) else { return };
        attempt.running = false;
        if let Backend::Places { places, .. } = &mut self.servers[attempt.at].backend
            && let Some((next, at_ns)) = places.end(number, self.now_ns)
        {
            self.agenda.plan(at_ns, Event::Served { attempt: next });
        }
        self.succeeded(number);
    }
}
