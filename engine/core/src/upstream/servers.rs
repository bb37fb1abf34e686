//! The servers of one endpoint together: the limit they make, and what a call without any is told.

use crate::endpoint::ErrorClass;
use crate::retry::UpstreamState;

use super::{Health, Shunned};

/// Servers whose health can be looked at one after the other: they may stand behind locks.
pub trait Servers {
    /// How many there are; at most [`MAX_SERVERS`](super::settings::MAX_SERVERS).
    fn count(&self) -> usize;

    /// What `look` says of the server at `at`, which is below [`count`](Self::count).
    fn with<R>(&mut self, at: usize, look: impl FnOnce(&mut Health) -> R) -> R;
}

impl Servers for [Health] {
    fn count(&self) -> usize {
        self.len()
    }

    fn with<R>(&mut self, at: usize, look: impl FnOnce(&mut Health) -> R) -> R {
        look(&mut self[at])
    }
}

/// The limit of the line in front of servers that each find their own. It is told from now on: see
/// [`Health::steer`].
pub fn joint_limit(servers: &mut (impl Servers + ?Sized)) -> u32 {
    let (mut up, mut all) = (0_u32, 0_u32);
    for at in 0..servers.count() {
        let (limit, down) =
            servers.with(at, |health| (health.tell().unwrap_or(0), health.is_down()));
        all = all.saturating_add(limit);
        if !down {
            up = up.saturating_add(limit);
        }
    }
    // When all are down the calls wait for them with permits: those they will have.
    if up > 0 { up } else { all }
}

/// The part of a `fixed` limit over all servers that one may have.
pub fn limit_of_one(fixed: Option<u32>, servers: &mut (impl Servers + ?Sized)) -> u32 {
    let count = servers.count();
    let Some(fixed) = fixed.filter(|_| count > 1) else { return u32::MAX };
    let up = (0..count).filter(|&at| !servers.with(at, |health| health.is_down())).count();
    fixed.div_ceil(up.max(1) as u32)
}

/// How long the next try has to wait at least, nanoseconds. What a server asked for concerns that
/// server; another one may be asked at once.
pub fn shortest_hold_ns(
    servers: &mut (impl Servers + ?Sized),
    shunned: &Shunned,
    now_ns: u64,
) -> u64 {
    let holds = (0..servers.count()).map(|at| {
        servers.with(at, |health| health.held_ns(now_ns)).max(shunned.wait_ns(at, now_ns))
    });
    holds.min().unwrap_or(0)
}

/// Of which class a call has failed that got to no server.
pub fn outage(servers: &mut (impl Servers + ?Sized), now_ns: u64) -> ErrorClass {
    let (mut failing, mut held) = (false, false);
    for at in 0..servers.count() {
        let (state, held_ns) = servers.with(at, |health| (health.state(), health.held_ns(now_ns)));
        failing |= state == UpstreamState::Failing;
        held |= state == UpstreamState::Up && held_ns > 0;
    }
    match (failing, held) {
        (true, _) => ErrorClass::Server,
        (false, true) => ErrorClass::Throttled,
        (false, false) => ErrorClass::Unreachable,
    }
}
