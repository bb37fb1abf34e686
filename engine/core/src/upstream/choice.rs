//! Which servers a call may go to now, and if there is none, how long it waits.

use super::settings::{CONNECT_TIMEOUT_NS, LOOK_AGAIN_NS, MAX_SERVERS};
use super::{Servers, Shunned, Usable};

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub struct Seeker<'a> {
    /// Where it would rather not go.
    pub shunned: &'a Shunned,
    /// It is a second try beside the one at this server.
    pub beside: Option<usize>,
    /// What bounds the tries at a server without a limiter.
    pub limit: u32,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It goes to one of these.
    Among {
        /// Bit `at` stands for the server at `at`; there is at least one.
        servers: u64,
        /// It is the one call that may find out whether that one server works again.
        trial: bool,
    },
    /// Nothing is possible now; look again after so many nanoseconds, or at news.
    Wait(u64),
    /// Everyone asks to be left alone for at least so many nanoseconds.
    Held(u64),
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a trial that is not made has to be reported"]
pub struct Look {
    /// What the call does.
    pub choice: Choice,
    /// Servers, by bits, that somebody has to [probe](Usable::Probe) now, whatever the call does.
    pub probes: u64,
}

/// Look at all servers for one call.
///
/// A server that may be tried again is tried by the first call that comes, even if others work: the
/// call has those to fall back on. A call that failed at a server goes to another if there is one.
pub fn look(servers: &mut (impl Servers + ?Sized), seeker: Seeker<'_>, now_ns: u64) -> Look {
    let Seeker { shunned, beside, limit } = seeker;
    let avoid = beside.or(shunned.last());
    let (mut usable, mut probes, mut trial) = (0_u64, 0_u64, None);
    let (mut wait_ns, mut held_ns) = (u64::MAX, u64::MAX);
    for at in 0..servers.count().min(MAX_SERVERS) {
        let own_ns = shunned.wait_ns(at, now_ns);
        servers.with(at, |health| {
            if own_ns > 0 {
                held_ns = held_ns.min(own_ns.max(health.held_ns(now_ns)));
                return;
            }
            match health.usable(limit, now_ns) {
                Usable::Yes => usable |= 1 << at,
                Usable::Trial if trial.is_none() => trial = Some(at),
                Usable::Trial => health.no_news(now_ns),
                Usable::Full => wait_ns = wait_ns.min(LOOK_AGAIN_NS),
                Usable::Held(ns) => held_ns = held_ns.min(ns),
                Usable::Down(ns) => wait_ns = wait_ns.min(ns),
                Usable::Probe => {
                    probes |= 1 << at;
                    wait_ns = wait_ns.min(CONNECT_TIMEOUT_NS);
                }
            }
        });
    }
    if let Some(at) = trial {
        if usable == 0 || avoid != Some(at) {
            return Look { choice: Choice::Among { servers: 1 << at, trial: true }, probes };
        }
        servers.with(at, |health| health.no_news(now_ns));
    }
    let others = avoid.map_or(usable, |avoid| usable & !(1 << avoid));
    let choice = match if others == 0 { usable } else { others } {
        // Only if there is nobody else to wait for.
        0 if wait_ns == u64::MAX => Choice::Held(held_ns),
        0 => Choice::Wait(wait_ns.min(held_ns)),
        servers => Choice::Among { servers, trial: false },
    };
    Look { choice, probes }
}
