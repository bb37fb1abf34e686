//! `Batcher`: gathers items until there are enough of them, or the oldest has waited long enough.
//!
//! A batch is full at `size` items or when the next item would take it over `max_weight` (a token
//! budget). The linger time counts from the oldest item, so no item waits longer than that, however
//! slowly the others come.
//!
//! ```
//! use sage_core::batcher::Batcher;
//!
//! let mut batcher = Batcher::new(2, 1_000, None);
//! assert_eq!(batcher.push('a', 1, 0), None);
//! assert_eq!(batcher.push('b', 1, 10), Some(vec!['a', 'b'])); // full
//! assert_eq!(batcher.push('c', 1, 20), None);
//! assert_eq!(batcher.deadline(), Some(1_020));
//! assert_eq!(batcher.poll(1_019), None);
//! assert_eq!(batcher.poll(1_020), Some(vec!['c'])); // lingered
//! ```

/// Gathers items into batches, in order of arrival.
#[derive(Debug)]
pub struct Batcher<T> {
    size: usize,
    linger_ns: u64,
    max_weight: Option<u64>,
    items: Vec<T>,
    weight: u64,
    /// When the oldest item came.
    since_ns: u64,
}

impl<T> Batcher<T> {
    /// A batcher for at most `size` items (at least 1) of at most `max_weight` in sum. A single
    /// item heavier than that makes a batch of its own.
    pub fn new(size: usize, linger_ns: u64, max_weight: Option<u64>) -> Self {
        Batcher {
            size: size.max(1),
            linger_ns,
            max_weight,
            items: Vec::new(),
            weight: 0,
            since_ns: 0,
        }
    }

    /// Takes an item in, and gives out a batch if that filled one: the batch with the item, or
    /// without it if it did not fit any more. In the second case the item alone may fill the next
    /// batch already; [`poll`](Self::poll) gives it out.
    pub fn push(&mut self, item: T, weight: u64, now_ns: u64) -> Option<Vec<T>> {
        let over = self.max_weight.is_some_and(|most| self.weight.saturating_add(weight) > most);
        let before = if over { self.flush() } else { None };
        if self.items.is_empty() {
            self.since_ns = now_ns;
        }
        self.items.push(item);
        self.weight = self.weight.saturating_add(weight);
        match before {
            Some(batch) => Some(batch),
            None if self.full() => self.flush(),
            None => None,
        }
    }

    /// Gives out a batch that is full or whose oldest item has lingered long enough.
    pub fn poll(&mut self, now_ns: u64) -> Option<Vec<T>> {
        if self.deadline()? <= now_ns { self.flush() } else { None }
    }

    /// When to poll next; `None` while empty.
    pub fn deadline(&self) -> Option<u64> {
        if self.items.is_empty() {
            return None;
        }
        let linger_ns = if self.full() { 0 } else { self.linger_ns };
        Some(self.since_ns.saturating_add(linger_ns))
    }

    /// Gives out what is there.
    pub fn flush(&mut self) -> Option<Vec<T>> {
        self.weight = 0;
        let batch = std::mem::take(&mut self.items);
        (!batch.is_empty()).then_some(batch)
    }

    /// Items waiting.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none is waiting.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn full(&self) -> bool {
        self.items.len() >= self.size || self.max_weight.is_some_and(|most| self.weight >= most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_that_does_not_fit_opens_the_next_batch() {
        let mut batcher = Batcher::new(10, 1_000, Some(100));
        assert_eq!(batcher.push('a', 60, 0), None);
        assert_eq!(batcher.push('b', 60, 5), Some(vec!['a']));
        assert_eq!(batcher.deadline(), Some(1_005));
        assert_eq!(batcher.push('c', 500, 6), Some(vec!['b']));
        // Too heavy for any company: due at once.
        assert_eq!(batcher.deadline(), Some(6));
        assert_eq!(batcher.poll(6), Some(vec!['c']));
        assert_eq!(batcher.deadline(), None);
        assert_eq!(batcher.flush(), None);
    }

    proptest! {
        #[test]
        fn batches_keep_order_lose_nothing_and_obey_every_limit(
            size in 0_usize..6,
            linger in 0_u64..50,
            most in proptest::option::of(0_u64..30),
            items in proptest::collection::vec((0_u64..20, 0_u64..30), 0..80),
        ) {
            let mut batcher = Batcher::new(size, linger, most);
            let mut out: Vec<Vec<(usize, u64, u64)>> = Vec::new();
            let mut now = 0;
            for (number, (weight, gap)) in items.iter().copied().enumerate() {
                let until = now + gap;
                // The driver polls whenever the batcher asked for it.
                while let Some(due) = batcher.deadline().filter(|due| *due <= until) {
                    now = now.max(due);
                    let batch = batcher.poll(now).expect("a batch is due");
                    for (_, _, came) in &batch {
                        prop_assert!(now - came <= linger);
                    }
                    out.push(batch);
                }
                now = until;
                out.extend(batcher.push((number, weight, now), weight, now));
                prop_assert!(batcher.len() <= size.max(1));
            }
            out.extend(batcher.flush());
            prop_assert!(batcher.is_empty());
            for batch in &out {
                prop_assert!(!batch.is_empty() && batch.len() <= size.max(1));
                let weight: u64 = batch.iter().map(|(_, weight, _)| weight).sum();
                prop_assert!(batch.len() == 1 || most.is_none_or(|most| weight <= most));
            }
            let numbers: Vec<usize> = out.iter().flatten().map(|(number, ..)| *number).collect();
            prop_assert_eq!(numbers, (0..items.len()).collect::<Vec<_>>());
        }
    }
}
