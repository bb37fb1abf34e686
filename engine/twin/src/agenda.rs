//! `Agenda`: what will happen when. The one place that orders events.
//!
//! A heap by time and then by number of entry: of two things at the same moment the one that was
//! planned first comes first. So a run never depends on how a heap or a map breaks ties.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens by itself when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// An operator of a thread looks again.
    Rouse { thread: u32, op: u32, epoch: u32 },
    /// Somebody on a host may be done computing.
    Host(u32),
    /// A task comes to its node.
    Dispatched { thread: u32, task: u32, epoch: u32 },
    /// Word of a task's end comes to its scheduler; `thread` is where it ran.
    Done { thread: u32, task: u32, epoch: u32 },
    /// A call comes to its endpoint.
    Called(u64),
    /// An answer comes to its caller.
    Answered(u64),
    /// Something happens in an endpoint.
    Station(u32),
    /// A node is lost.
    Lost(u32),
    /// A node is back.
    Back(u32),
}

/// The pending events.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<(u64, u64, Due)>>,
    entries: u64,
}

impl Agenda {
    /// Plan something.
    pub(crate) fn add(&mut self, at_ns: u64, due: Due) {
        self.heap.push(Reverse((at_ns, self.entries, due)));
        self.entries += 1;
    }

    /// When the next thing happens.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at_ns, ..))| *at_ns)
    }

    /// The next thing, if it happens no later than `now_ns`.
    pub(crate) fn pop(&mut self, now_ns: u64) -> Option<Due> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.heap.pop().map(|Reverse((_, _, due))| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_keep_the_order_of_entry() {
        let mut agenda = Agenda::default();
        for (at, number) in [(5, 9), (3, 3), (5, 2), (3, 1), (5, 4)] {
            agenda.add(at, Due::Host(number));
        }
        assert_eq!((agenda.next_ns(), agenda.pop(2)), (Some(3), None));
        let order: Vec<Due> = std::iter::from_fn(|| agenda.pop(5)).collect();
        assert_eq!(order, [3, 1, 9, 2, 4].map(Due::Host));
        assert_eq!((agenda.next_ns(), agenda.pop(u64::MAX)), (None, None));
    }
}
