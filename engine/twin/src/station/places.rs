//! A server without a model: places, each of which serves one call at a time, first come, first
//! served.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Places {
    /// Places that are free; `None`: there are as many as are wanted.
    free: Option<u32>,
    /// Tries that wait, with the time that they take.
    waiting: VecDeque<(u64, u64)>,
    /// Since when each try is served.
    serving: FxHashMap<u64, u64>,
    /// Time of the places in use, all together.
    busy_ns: u64,
}

impl Places {
    pub(super) fn new(places: Option<u32>) -> Self {
        Places { free: places, waiting: VecDeque::new(), serving: FxHashMap::default(), busy_ns: 0 }
    }

    /// A try comes that takes `service_ns`. When it is served, if it has a place.
    pub(super) fn start(&mut self, attempt: u64, service_ns: u64, now_ns: u64) -> Option<u64> {
        if self.free == Some(0) {
            self.waiting.push_back((attempt, service_ns));
            return None;
        }
        self.free = self.free.map(|free| free - 1);
        self.serving.insert(attempt, now_ns);
        Some(now_ns.saturating_add(service_ns))
    }

    /// A try is served, or goes away. The one that has its place now, and when that is served.
    pub(super) fn end(&mut self, attempt: u64, now_ns: u64) -> Option<(u64, u64)> {
        let Some(since_ns) = self.serving.remove(&attempt) else {
            self.waiting.retain(|&(other, _)| other != attempt);
            return None;
        };
        self.busy_ns += now_ns.saturating_sub(since_ns);
        self.free = self.free.map(|free| free + 1);
        let (next, service_ns) = self.waiting.pop_front()?;
        self.start(next, service_ns, now_ns).map(|at_ns| (next, at_ns))
    }

    /// Time of the places in use, all together.
    pub(super) fn busy_ns(&self) -> u64 {
        self.busy_ns
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.serving.is_empty() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_the_line_or_a_place_makes_room() {
        let mut places = Places::new(Some(1));
        assert_eq!(places.start(1, 10, 0), Some(10));
        assert_eq!((places.start(2, 10, 1), places.start(3, 10, 1)), (None, None));
        assert_eq!(places.end(2, 2), None);
        assert_eq!(places.end(1, 4), Some((3, 14)));
        assert_eq!(places.end(3, 14), None);
        assert_eq!((places.busy_ns(), places.free), (14, Some(1)));
    }
}
