//! What happens when, in here: events by time, and among those of one moment by when they were
//! planned, so that runs repeat.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that was planned. Calls and tries are named by their numbers, which are never used
/// again: what is gone by then makes its event stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A step of a server's generator ends, or its first one may begin.
    Generated { server: usize },
    /// A batch of a server's embedding model ends, or its first one may begin.
    Embedded { server: usize },
    /// A server without a model has answered a try.
    Served { attempt: u64 },
    /// A try that was delayed reaches its server.
    Reached { attempt: u64 },
    /// A call tries again.
    Retry { call: u64 },
    /// Calls that found no server look again.
    Look,
    /// The first in the rates' line asks again.
    Turn,
    /// A server's metrics are read.
    Poll { server: usize },
    /// A second try beside one that takes long is due.
    Hedge { attempt: u64 },
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    planned: u64,
}

impl Agenda {
    /// `event` happens at `at_ns`.
    pub(super) fn plan(&mut self, at_ns: u64, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse((at_ns, self.planned, event)));
    }

    /// The next event and its time.
    pub(super) fn next(&self) -> Option<(u64, Event)> {
        self.heap.peek().map(|&Reverse((at_ns, _, event))| (at_ns, event))
    }

    /// Take the next event.
    pub(super) fn pop(&mut self) {
        self.heap.pop();
    }
}
