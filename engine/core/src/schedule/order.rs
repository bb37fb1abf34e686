//! The fleet's workers in order, kept up to date instead of searched.
//!
//! Most decisions ask the same few things: is anybody free, who has the least, who is next after
//! number `n`. A scan over a thousand workers for each is what a decision would cost; here a change
//! of one worker costs a walk up two binary trees, and an answer is a look at their roots.

use super::Worker;

/// A set of worker numbers, as bits.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    words: Vec<u64>,
    count: usize,
}

impl Numbers {
    fn new(size: usize) -> Self {
        Numbers { words: vec![0; size.div_ceil(64)], count: 0 }
    }

    fn set(&mut self, number: usize, member: bool) {
        let word = &mut self.words[number / 64];
        let bit = 1 << (number % 64);
        let was = *word & bit != 0;
        if was != member {
            *word ^= bit;
            self.count = if member { self.count + 1 } else { self.count - 1 };
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The first member that is not below `start`.
    pub(super) fn from(&self, start: usize) -> Option<usize> {
        let (first, shift) = (start / 64, start % 64);
        let head = self.words.get(first)? & (u64::MAX << shift);
        if head != 0 {
            return Some(first * 64 + head.trailing_zeros() as usize);
        }
        let rest = first + 1;
        let at = rest + self.words[rest..].iter().position(|word| *word != 0)?;
        Some(at * 64 + self.words[at].trailing_zeros() as usize)
    }

    /// The member with `below` others before it.
    pub(super) fn nth(&self, mut below: usize) -> Option<usize> {
        for (at, word) in self.words.iter().enumerate() {
            let here = word.count_ones() as usize;
            if below < here {
                // Drop the lowest bit as often as there are members to pass.
                let rest = (0..below).fold(*word, |rest, _| rest & (rest - 1));
                return Some(at * 64 + rest.trailing_zeros() as usize);
            }
            below -= here;
        }
        None
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    at * 64 + bit
                })
            })
        })
    }
}

/// What a worker is compared by; infinite while it may not be given work.
#[derive(Debug, Clone, Copy)]
struct Key {
    load: f64,
    given: f64,
}

const OUT: Key = Key { load: f64::INFINITY, given: f64::INFINITY };

/// A tournament: every node holds the better of the two below it, the root the best of all.
#[derive(Debug, Clone, Default)]
struct Tournament {
    /// Worker numbers; the leaves are the second half.
    nodes: Vec<u32>,
}

impl Tournament {
    fn new(leaves: usize) -> Self {
        let mut nodes: Vec<u32> = (0..leaves as u32).chain(0..leaves as u32).collect();
        // All are equal in the beginning, so the lowest number below a node stands in it.
        (1..leaves).rev().for_each(|at| nodes[at] = nodes[2 * at]);
        Tournament { nodes }
    }

    /// Plays the matches above a leaf again, until one ends as it did before without it.
    fn update(&mut self, leaf: usize, wins: impl Fn(usize, usize) -> bool) {
        let mut at = self.nodes.len() / 2 + leaf;
        while at > 1 {
            at /= 2;
            let (left, right) = (self.nodes[2 * at], self.nodes[2 * at + 1]);
            // Of equals the lower number, which is always on the left.
            let winner = if wins(right as usize, left as usize) { right } else { left };
            if self.nodes[at] == winner && winner as usize != leaf {
                return;
            }
            self.nodes[at] = winner;
        }
    }

    fn best(&self) -> usize {
        // With one leaf there is no match: node 1 is the leaf.
        self.nodes.get(1).map_or(0, |best| *best as usize)
    }
}

/// Free workers, and the best of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// Workers with room in their windows.
    pub(super) free: Numbers,
    /// Workers with a free slot.
    pub(super) slot: Numbers,
    keys: Vec<Key>,
    by_load: Tournament,
    by_given: Tournament,
    /// Tasks given to, and slots of, the workers that are up.
    up_assigned: u128,
    up_slots: u128,
}

impl Order {
    pub(super) fn of(workers: &[Worker]) -> Self {
        let leaves = workers.len().next_power_of_two();
        let mut order = Order {
            free: Numbers::new(workers.len()),
            slot: Numbers::new(workers.len()),
            keys: vec![OUT; leaves],
            by_load: Tournament::new(leaves),
            by_given: Tournament::new(leaves),
            up_assigned: 0,
            up_slots: 0,
        };
        for (number, worker) in workers.iter().enumerate() {
            order.count(worker);
            order.place(number, worker);
        }
        order
    }

    /// A worker has changed from `before` to `worker`.
    pub(super) fn changed(&mut self, number: usize, before: Standing, worker: &Worker) {
        if before.up {
            self.up_assigned -= u128::from(before.assigned);
            self.up_slots -= u128::from(before.slots);
        }
        self.count(worker);
        self.place(number, worker);
    }

    fn count(&mut self, worker: &Worker) {
        if worker.up {
            self.up_assigned += u128::from(worker.assigned);
            self.up_slots += u128::from(worker.slots);
        }
    }

    fn place(&mut self, number: usize, worker: &Worker) {
        self.free.set(number, worker.free());
        self.slot.set(number, worker.has_slot());
        self.keys[number] =
            if worker.free() { Key { load: worker.load(), given: worker.given() } } else { OUT };
        let keys = &self.keys;
        self.by_load.update(number, |a, b| {
            let (a, b) = (keys[a], keys[b]);
            (a.load, a.given) < (b.load, b.given)
        });
        self.by_given.update(number, |a, b| keys[a].given < keys[b].given);
    }

    pub(super) fn least_loaded(&self) -> Option<usize> {
        (self.free.count > 0).then(|| self.by_load.best())
    }

    pub(super) fn least_given(&self) -> Option<usize> {
        (self.free.count > 0).then(|| self.by_given.best())
    }

    /// Whether `worker` was given no more for each of its slots than the workers that are up on
    /// average. In whole numbers: an average of floats may be a little less than the least of them.
    pub(super) fn behind_average(&self, worker: &Worker) -> bool {
        u128::from(worker.assigned) * self.up_slots <= self.up_assigned * u128::from(worker.slots)
    }
}

/// What [`Order`] has counted of a worker, to be taken back when it changes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    up: bool,
    assigned: u64,
    slots: u32,
}

impl Standing {
    pub(super) fn of(worker: &Worker) -> Self {
        Standing { up: worker.up, assigned: worker.assigned, slots: worker.slots }
    }
}
