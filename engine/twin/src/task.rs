//! `Tasks`: the tasks of one job that are somewhere between source and end. What a task is in the
//! live engine is a packed batch of rows; here it is their numbers and which of them are left.
//!
//! Entries are used again, so memory goes by what is in flight. A task is named by its entry (`u32`)
//! while it lives; its number in source order is in it.

/// The records of a task and which of them are left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Records it came with.
    pub(crate) all: u32,
    /// Records that have neither failed nor been dropped.
    pub(crate) left: u32,
    /// One bit for each that is gone; empty while none is.
    gone: Vec<u64>,
}

impl Rows {
    /// Whether record `row` is left.
    pub(crate) fn has(&self, row: u32) -> bool {
        let word = self.gone.get(row as usize / 64).copied().unwrap_or(0);
        word >> (row % 64) & 1 == 0
    }

    /// Take record `row` out.
    pub(crate) fn remove(&mut self, row: u32) {
        if !self.has(row) {
            return;
        }
        if self.gone.is_empty() {
            self.gone.resize((self.all as usize).div_ceil(64), 0);
        }
        self.gone[row as usize / 64] |= 1 << (row % 64);
        self.left -= 1;
    }

    /// The records that are left, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.all).filter(|row| self.has(*row))
    }
}

/// What has become of a task's records so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) rows: Rows,
    /// Records that failed.
    pub(crate) dead: u32,
    /// Those of them whose time was up.
    pub(crate) late: u32,
    /// Most tries of any call.
    pub(crate) attempts: u16,
}

impl Fate {
    /// Of `all` records nothing has become yet. Keeps what memory there is.
    fn renew(&mut self, all: u32) {
        let Rows { all: records, left, gone } = &mut self.rows;
        (*records, *left) = (all, all);
        gone.clear();
        (self.dead, self.late, self.attempts) = (0, 0, 0);
    }
}

/// What one waiting stage did for a task.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) last_ns: u64,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
    pub(crate) attempts: u16,
    /// Whether one of the task's records came to it.
    pub(crate) asked: bool,
}

/// A record that failed in a group of waiting stages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) row: u32,
    /// Position within the group.
    pub(crate) member: usize,
    pub(crate) attempts: u16,
    /// Whether it failed because its time was up.
    pub(crate) late: bool,
}

/// A task.
#[derive(Debug, Default)]
pub(crate) struct Task {
    /// Number in source order.
    pub(crate) id: u64,
    /// Number of its first record.
    pub(crate) first: u64,
    pub(crate) arrived_ns: u64,
    /// When it came into a slot, if it has.
    pub(crate) started_ns: Option<u64>,
    /// From its start to its end, once it has ended.
    pub(crate) service_ns: Option<u64>,
    /// Node it was given to.
    pub(crate) node: u32,
    /// Whether it occupies a place in the scheduler's window.
    pub(crate) scheduled: bool,
    pub(crate) fate: Fate,
    /// Its fate when it was placed, to go back to when its node is lost; none while untouched.
    placed: Option<Box<Fate>>,
    /// In a group of waiting stages: items without an answer.
    pub(crate) outstanding: u32,
    pub(crate) began_ns: u64,
    pub(crate) progress: Vec<Progress>,
    pub(crate) failures: Vec<Failure>,
}

impl Task {
    /// It was placed: from here on its node may be lost.
    pub(crate) fn place(&mut self, node: u32) {
        self.node = node;
        self.scheduled = true;
        let Fate { rows, dead, late, attempts } = &self.fate;
        let untouched = rows.left == rows.all && (*dead, *late, *attempts) == (0, 0, 0);
        self.placed = (!untouched).then(|| Box::new(self.fate.clone()));
    }

    /// For how long it was in a slot, up to now or to its end there; `None` if it was not.
    pub(crate) fn held_ns(&self, now_ns: u64) -> Option<u64> {
        self.service_ns.or_else(|| self.started_ns.map(|began_ns| now_ns.saturating_sub(began_ns)))
    }

    /// Its node was lost: what happened to it there did not.
    pub(crate) fn forget(&mut self) {
        self.scheduled = false;
        (self.started_ns, self.service_ns) = (None, None);
        if let Some(fate) = self.placed.take() {
            self.fate = *fate;
        } else {
            self.fate.renew(self.fate.rows.all);
        }
    }
}

/// The tasks of one job.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    entries: Vec<Task>,
    free: Vec<u32>,
}

impl Tasks {
    /// A new task of `records` records from number `first` on.
    pub(crate) fn open(&mut self, id: u64, first: u64, records: u32, arrived_ns: u64) -> u32 {
        let entry = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Task::default());
            self.entries.len() as u32 - 1
        });
        let task = &mut self.entries[entry as usize];
        (task.id, task.first, task.arrived_ns) = (id, first, arrived_ns);
        (task.started_ns, task.service_ns) = (None, None);
        (task.node, task.scheduled, task.outstanding) = (0, false, 0);
        task.placed = None;
        task.fate.renew(records);
        entry
    }

    /// A task has ended for everybody.
    pub(crate) fn close(&mut self, entry: u32) {
        self.free.push(entry);
    }

    /// A task by its entry.
    pub(crate) fn get(&self, entry: u32) -> &Task {
        &self.entries[entry as usize]
    }

    /// A task by its entry.
    pub(crate) fn get_mut(&mut self, entry: u32) -> &mut Task {
        &mut self.entries[entry as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_task_is_as_it_was_when_it_was_placed() {
        let mut tasks = Tasks::default();
        let entry = tasks.open(7, 700, 100, 5);
        let task = tasks.get_mut(entry);
        task.fate.rows.remove(99);
        task.fate.dead = 1;
        task.place(3);
        let placed = task.fate.clone();
        task.fate.rows.remove(0);
        task.fate.rows.remove(0);
        task.fate.attempts = 4;
        assert_eq!((task.fate.rows.left, task.fate.rows.iter().count()), (98, 98));
        task.forget();
        assert_eq!((&task.fate, task.scheduled), (&placed, false));

        tasks.close(entry);
        assert_eq!(tasks.open(8, 800, 2, 6), entry, "entries are used again");
        let task = tasks.get_mut(entry);
        assert_eq!(task.fate.rows.iter().collect::<Vec<_>>(), [0, 1]);
        task.place(0);
        task.fate.rows.remove(1);
        task.forget();
        assert_eq!(task.fate.rows.left, 2);
    }
}
