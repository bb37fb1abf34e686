//! What a request passes before it runs: the serial front end, then the waiting queue.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use super::sequence::{Key, Sequence};

/// Requests that do not run (yet, or again).
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// In the front end, with the time at which each leaves it.
    arriving: VecDeque<(u64, Sequence)>,
    front_free_at: u64,
    waiting: BTreeMap<Key, Sequence>,
    /// Where each waiting request stands.
    keys: FxHashMap<u64, Key>,
}

impl Queue {
    /// Take a new request into the front end, which needs `service_ns` for it.
    pub(super) fn arrive(&mut self, sequence: Sequence, now: u64, service_ns: u64) {
        self.front_free_at = self.front_free_at.max(now) + service_ns;
        self.arriving.push_back((self.front_free_at, sequence));
    }

    /// Move what has left the front end by `now` into the waiting queue.
    pub(super) fn advance(&mut self, now: u64) {
        while self.arriving.front().is_some_and(|entry| entry.0 <= now) {
            if let Some((_, sequence)) = self.arriving.pop_front() {
                self.wait(sequence);
            }
        }
    }

    /// Queue a request; one that was preempted keeps its place, which is ahead of all later ones.
    pub(super) fn wait(&mut self, sequence: Sequence) {
        self.keys.insert(sequence.id, sequence.key);
        self.waiting.insert(sequence.key, sequence);
    }

    /// The next request to run.
    pub(super) fn head(&self) -> Option<&Sequence> {
        self.waiting.first_key_value().map(|(_, sequence)| sequence)
    }

    /// Take the next request to run.
    pub(super) fn take_head(&mut self) -> Option<Sequence> {
        let (_, sequence) = self.waiting.pop_first()?;
        self.keys.remove(&sequence.id);
        Some(sequence)
    }

    /// Forget a request.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        if let Some(key) = self.keys.remove(&id) {
            return self.waiting.remove(&key).is_some();
        }
        let before = self.arriving.len();
        self.arriving.retain(|entry| entry.1.id != id);
        self.arriving.len() < before
    }

    /// When the next request leaves the front end.
    pub(super) fn next_arrival(&self) -> Option<u64> {
        self.arriving.front().map(|entry| entry.0)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn arriving(&self) -> usize {
        self.arriving.len()
    }
}
