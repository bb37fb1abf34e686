//! The waiting queue: in order of priority, then of arrival.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::sequence::{Key, Sequence};

/// Requests that do not run (yet, or again).
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Key, Sequence>,
    /// Where each waiting request stands.
    keys: FxHashMap<u64, Key>,
}

impl Queue {
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
        self.keys.remove(&id).and_then(|key| self.waiting.remove(&key)).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
