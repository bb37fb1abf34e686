//! How long a task is expected to take: what is declared of its stages, and for the rest what earlier
//! tasks took.
//!
//! The time of a call is in no cost model; it hangs on the server and on who else asks. So it is
//! learned from completions, as the part of a task's service time that the cost models do not
//! explain, by the size of the task: long texts make long prompts. It is the time it takes now,
//! waiting for the endpoint included.
//!
//! Until the first task has completed there is nothing to say, and in a batch most tasks have arrived
//! by then. So those that wait are looked at again, rarely: after 1, 4, 16, 64 ... completions.

use rustc_hash::FxHashMap;

use super::{Learned, Task};

/// Completions after which an old one weighs half.
const HALF_LIFE: f64 = 64.0;

/// What the stages' cost models say of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Declared {
    /// Sum over all stages, nanoseconds.
    pub all_ns: f64,
    /// Sum over the longest chain of stages, nanoseconds.
    pub chain_ns: f64,
    /// Whether no stage is left out.
    pub complete: bool,
}

impl Declared {
    /// For so many records of this kind.
    #[must_use]
    pub fn times(self, records: usize) -> Self {
        let records = records as f64;
        let (all_ns, chain_ns) = (self.all_ns * records, self.chain_ns * records);
        Declared { all_ns, chain_ns, ..self }
    }
}

/// Fills in what is expected of tasks, and learns from those that end.
///
/// ```
/// use sage_core::schedule::{Declared, Estimates, Task};
///
/// let mut estimates = Estimates::default();
/// // One millisecond is declared; the rest is a call.
/// let declared = Declared { all_ns: 1e6, chain_ns: 1e6, complete: false };
/// let mut task = Task::new(1, 0);
/// estimates.arrived(&mut task, 500.0, declared);
/// assert_eq!(task.expected_ns, None);
/// assert!(estimates.completed(1, 9_000_000, true));
/// let mut next = Task::new(2, 0);
/// estimates.arrived(&mut next, 500.0, declared);
/// assert_eq!(next.expected_ns, Some(9_000_000));
/// ```
#[derive(Debug, Clone)]
pub struct Estimates {
    learned: Learned,
    /// Tasks whose time is learned: size, and what is declared.
    open: FxHashMap<u64, (f64, Declared)>,
    learned_from: u64,
    /// After so many it is worth to look at waiting tasks again.
    next_look: u64,
}

impl Default for Estimates {
    fn default() -> Self {
        Estimates {
            learned: Learned::new(HALF_LIFE),
            open: FxHashMap::default(),
            learned_from: 0,
            next_look: 1,
        }
    }
}

impl Estimates {
    /// A task is about to arrive. `size` is anything known of it that grows with its time, such as
    /// the bytes of its records.
    pub fn arrived(&mut self, task: &mut Task, size: f64, declared: Declared) {
        if declared.complete {
            fill(task, declared, Some(0.0));
        } else {
            self.open.insert(task.id, (size, declared));
            self.revise(task);
        }
    }

    /// Fills in what is known by now of a task that arrived.
    pub fn revise(&self, task: &mut Task) {
        if let Some((size, declared)) = self.open.get(&task.id) {
            let rest = self.learned.expect(*size).map(|ns| ns.max(0.0));
            fill(task, *declared, rest);
        }
    }

    /// A task ended. Whether those that wait are worth another look, with
    /// [`Scheduler::revise`](super::Scheduler::revise).
    pub fn completed(&mut self, task: u64, service_ns: u64, ok: bool) -> bool {
        // A failure says how fast it fails.
        let Some((size, declared)) = self.open.remove(&task).filter(|_| ok) else { return false };
        self.learned.observe(size, service_ns as f64 - declared.chain_ns);
        self.learned_from += 1;
        let look = self.learned_from >= self.next_look;
        if look {
            self.next_look = self.next_look.saturating_mul(4);
        }
        look
    }

    /// A task left without having run.
    pub fn left(&mut self, task: u64) {
        self.open.remove(&task);
    }
}

/// `rest` comes on top of what is declared; nothing is known without it.
fn fill(task: &mut Task, declared: Declared, rest: Option<f64>) {
    // Within eleven days, whatever a model says.
    let whole = |known: f64| rest.map(|rest| (known + rest).clamp(0.0, 1e15) as u64);
    task.expected_ns = whole(declared.all_ns);
    task.critical_ns = whole(declared.chain_ns);
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Declared = Declared { all_ns: 3e6, chain_ns: 2e6, complete: false };

    #[test]
    fn what_is_declared_completely_is_not_learned() {
        let mut estimates = Estimates::default();
        let mut task = Task::new(1, 0);
        estimates.arrived(&mut task, 10.0, Declared { complete: true, ..CALL }.times(2));
        assert_eq!((task.expected_ns, task.critical_ns), (Some(6_000_000), Some(4_000_000)));
        assert!(!estimates.completed(1, 99, true));
        estimates.arrived(&mut task, 10.0, CALL);
        assert_eq!((task.expected_ns, task.critical_ns), (None, None));
    }

    #[test]
    fn waiting_tasks_are_looked_at_again_ever_more_rarely_and_nothing_is_kept() {
        let mut estimates = Estimates::default();
        let mut waiting = Task::new(0, 0);
        estimates.arrived(&mut waiting, 100.0, CALL);
        let mut looks = Vec::new();
        for id in 1..=300 {
            estimates.arrived(&mut Task::new(id, 0), 100.0, CALL);
            if id % 3 == 0 {
                estimates.left(id);
            }
            let failed = id % 3 == 1;
            if estimates.completed(id, 12_000_000, !failed) {
                looks.push(id);
            }
        }
        // Every third counts: 1, 4, 16 and 64 of them.
        assert_eq!(looks, [2, 11, 47, 191]);
        estimates.revise(&mut waiting);
        assert_eq!(
            (waiting.expected_ns, waiting.critical_ns),
            (Some(13_000_000), Some(12_000_000))
        );
        assert_eq!(estimates.open.len(), 1);
    }
}
