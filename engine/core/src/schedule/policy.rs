//! `Policy`: the one trait a scheduling policy implements.

use rand::Rng;

use super::{Fleet, Task};

/// Place of a task in the queue: smaller runs first, equal ranks by task number.
///
/// A rank is asked for on arrival and does not change with time. That is enough even for priorities that
/// grow with waiting time: if a task's effective priority is `priority + waited / aging`, then at
/// any moment `a` comes before `b` exactly when
/// `a.arrived - a.priority * aging < b.arrived - b.priority * aging`, because `now` cancels out.
/// So the queue is a plain heap, and nothing is ever re-sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub i128);

impl Rank {
    /// Order of arrival.
    pub fn by_arrival(task: &Task) -> Self {
        Rank(i128::from(task.arrived_ns))
    }
}

/// What a policy says about the task at the head of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Give it to this worker.
    Run(usize),
    /// Leave it in the queue until something changes.
    Hold,
    /// Refuse it, for this reason.
    Shed(&'static str),
}

/// What a policy is told besides the fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observation {
    /// A task ended on a worker.
    Completed {
        /// The task.
        task: Task,
        /// Where it ran.
        worker: usize,
        /// From its start to its end.
        service_ns: u64,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A task left the queue without having been placed: late, cancelled, refused by the policy, or
    /// about to be ranked anew.
    Left(Task),
    /// A worker was lost.
    Down(usize),
    /// A worker is there again.
    Up(usize),
}

/// Ranks tasks and chooses workers. One object serves one run, alone: no locks, no reset.
pub trait Policy: Send {
    /// Where in the queue the task belongs. Asked once for each arrival. A task that comes back from
    /// a lost worker arrives again, and all that wait do when their estimates have become better.
    fn rank(&mut self, task: &Task) -> Rank {
        Rank::by_arrival(task)
    }

    /// Where the task at the head of the queue goes. Asked only while at least one worker is free;
    /// a worker that is down or full must not be named.
    fn place(&mut self, task: &Task, fleet: &Fleet, rng: &mut dyn Rng) -> Verdict;

    /// Why the last task was placed as it was, for the record of decisions.
    fn reason(&self) -> &'static str;

    /// When the task that was just held may be placed although nothing else has changed, if a moment
    /// is known. Asked only after [`Verdict::Hold`].
    fn wake_ns(&self) -> Option<u64> {
        None
    }

    /// Something happened that the fleet view does not show.
    fn observe(&mut self, _observation: &Observation) {}
}
