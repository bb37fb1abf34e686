//! `Done`: numbers of the tasks that ended, as ranges.
//!
//! Events of an ended task can still come: a straggler from a slow peer, or a whole second life
//! when a worker was lost after it reported. They must not open the task anew. Tasks are numbered
//! in source order, so the ended ones form few ranges, about as many as tasks are open.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Done {
    /// First number to one past the last; disjoint and not touching.
    ranges: BTreeMap<u64, u64>,
}

impl Done {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    pub(super) fn insert(&mut self, number: u64) {
        if number == u64::MAX || self.contains(number) {
            return;
        }
        let end = self.ranges.remove(&(number + 1)).unwrap_or(number + 1);
        match self.ranges.range_mut(..number).next_back() {
            Some((_, before)) if *before == number => *before = end,
            _ => {
                self.ranges.insert(number, end);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Done) {
        let mut all: Vec<(u64, u64)> =
            std::mem::take(&mut self.ranges).into_iter().chain(other.ranges).collect();
        all.sort_unstable();
        for (start, end) in all {
            match self.ranges.last_entry() {
                Some(mut last) if start <= *last.get() => {
                    let end = end.max(*last.get());
                    last.insert(end);
                }
                _ => {
                    self.ranges.insert(start, end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_join_into_one_range() {
        let mut done = Done::default();
        for number in [5, 3, 9, 4, 4, 0] {
            done.insert(number);
        }
        assert_eq!(done.ranges.into_iter().collect::<Vec<_>>(), [(0, 1), (3, 6), (9, 10)]);
    }

    #[test]
    fn a_merge_holds_what_either_held() {
        let (mut left, mut right) = (Done::default(), Done::default());
        (0..10).for_each(|number| left.insert(number));
        (8..20).chain([30]).for_each(|number| right.insert(number));
        left.merge(right);
        assert_eq!(left.ranges.into_iter().collect::<Vec<_>>(), [(0, 20), (30, 31)]);
    }
}
