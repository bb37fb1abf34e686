//! Looks at the servers' metrics for the limits that are found out, at the gateway's intervals.
//!
//! The gateway looks at its watch all the time and does nothing while there is nothing to do; here
//! such looks are left out, and the next one after them is where it would have been.

use sage_core::upstream::News;

use super::Station;
use super::agenda::Event;

/// A server's looks.
#[derive(Debug, Default)]
pub(super) struct Poll {
    last_ns: u64,
    planned: bool,
}

impl Station {
    /// There is something to do: plan the next looks.
    pub(super) fn plan_polls(&mut self) {
        let (now_ns, pause_ns) = (self.now_ns, self.line.usual().poll_pause_ns());
        for (server, known) in self.servers.iter_mut().enumerate() {
            if known.poll.planned || !known.health.is_auto() {
                continue;
            }
            let passed = now_ns.saturating_sub(known.poll.last_ns) / pause_ns;
            let at_ns = known.poll.last_ns.saturating_add((passed + 1).saturating_mul(pause_ns));
            known.poll.planned = true;
            self.agenda.plan(at_ns, Event::Poll { server });
        }
    }

    /// It is time for a look at `server`.
    pub(super) fn poll(&mut self, server: usize) {
        let now_ns = self.now_ns;
        let known = &mut self.servers[server];
        known.poll.last_ns = now_ns;
        known.poll.planned = false;
        if self.line.load() == (0, 0) {
            return;
        }
        let load = if known.health.is_down() { None } else { known.load() };
        self.steer(server, load.map_or(News::Nothing, News::Server));
        let at_ns = now_ns.saturating_add(self.line.usual().poll_pause_ns());
        self.servers[server].poll.planned = true;
        self.agenda.plan(at_ns, Event::Poll { server });
    }
}
