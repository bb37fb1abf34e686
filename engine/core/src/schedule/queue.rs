//! The central queue: by rank for running, by age for deadlines.
//!
//! Two orders over one set of tasks. Both hold only `(key, id)` and are cleaned lazily: a task that
//! left by one door is skipped when it surfaces at the other, so leaving costs no search.
//! Age is a heap as well: a task that comes back from a lost worker is older than those before it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::{Rank, Task};

#[derive(Debug, Default)]
pub(super) struct Queue {
    tasks: FxHashMap<u64, (Rank, Task)>,
    by_rank: BinaryHeap<Reverse<(Rank, u64)>>,
    /// In order of arrival, hence of deadline. Filled only when there is a deadline.
    by_age: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.tasks.contains_key(&id)
    }

    pub(super) fn push(&mut self, rank: Rank, task: Task, ages: bool) {
        self.by_rank.push(Reverse((rank, task.id)));
        if ages {
            self.by_age.push(Reverse((task.arrived_ns, task.id)));
        }
        self.tasks.insert(task.id, (rank, task));
    }

    /// The task that runs next.
    pub(super) fn first(&mut self) -> Option<Task> {
        while let Some(Reverse((rank, id))) = self.by_rank.peek().copied() {
            match self.tasks.get(&id) {
                // The rank tells a task that came back from its own stale entry.
                Some((current, task)) if *current == rank => return Some(*task),
                _ => self.by_rank.pop(),
            };
        }
        None
    }

    /// The task that has waited longest.
    pub(super) fn oldest(&mut self) -> Option<Task> {
        while let Some(Reverse((arrived_ns, id))) = self.by_age.peek().copied() {
            match self.tasks.get(&id) {
                Some((_, task)) if task.arrived_ns == arrived_ns => return Some(*task),
                _ => self.by_age.pop(),
            };
        }
        None
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Task> {
        let (_, task) = self.tasks.remove(&id)?;
        // Lazy cleaning must not let stale entries outgrow the live ones.
        if self.by_rank.len() > 2 * self.tasks.len() + 64 {
            let tasks = &self.tasks;
            self.by_rank.retain(|Reverse((_, id))| tasks.contains_key(id));
        }
        if self.by_age.len() > 2 * self.tasks.len() + 64 {
            let tasks = &self.tasks;
            self.by_age.retain(|Reverse((_, id))| tasks.contains_key(id));
        }
        Some(task)
    }

    /// Changes all tasks, in the order in which they arrived, and ranks them anew.
    pub(super) fn revise(&mut self, mut change: impl FnMut(&mut Task) -> Rank) {
        let mut order: Vec<(u64, u64)> =
            self.tasks.values().map(|(_, task)| (task.arrived_ns, task.id)).collect();
        order.sort_unstable();
        self.by_rank.clear();
        for (_, id) in order {
            if let Some((rank, task)) = self.tasks.get_mut(&id) {
                *rank = change(task);
                self.by_rank.push(Reverse((*rank, id)));
            }
        }
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().map(|(_, task)| task)
    }

    /// All tasks in the order they would have run; the queue is empty afterwards.
    pub(super) fn drain(&mut self) -> Vec<Task> {
        self.by_rank.clear();
        self.by_age.clear();
        let mut tasks: Vec<(Rank, Task)> = self.tasks.drain().map(|(_, entry)| entry).collect();
        tasks.sort_unstable_by_key(|(rank, task)| (*rank, task.id));
        tasks.into_iter().map(|(_, task)| task).collect()
    }
}
