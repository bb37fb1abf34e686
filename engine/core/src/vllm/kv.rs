//! The KV cache: fixed blocks, counted references, and a prefix cache over the free ones.
//!
//! As in vLLM's V1 block pool: a full block is published under the hash of everything up to its
//! end; a block that nobody uses stays published in a free list in order of last use, so a hit
//! costs a relink and an allocation evicts the longest unused. Blocks of a sequence are freed from
//! the end, because a prefix without its head can never be hit.

use rustc_hash::FxHashMap;

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Block {
    references: u32,
    /// Hash under which the block is published.
    hash: Option<u64>,
    previous: u32,
    next: u32,
}

/// All blocks of a server.
#[derive(Debug)]
pub(super) struct KvCache {
    blocks: Vec<Block>,
    published: FxHashMap<u64, u32>,
    /// The free list, longest unused first.
    head: u32,
    tail: u32,
    free: u32,
}

impl KvCache {
    pub(super) fn new(count: u32) -> Self {
        let idle = Block { references: 0, hash: None, previous: NONE, next: NONE };
        let mut cache = KvCache {
            blocks: vec![idle; count as usize],
            published: FxHashMap::default(),
            head: NONE,
            tail: NONE,
            free: 0,
        };
        for block in 0..count {
            cache.append(block);
        }
        cache
    }

    pub(super) fn free(&self) -> u32 {
        self.free
    }

    pub(super) fn capacity(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// How many of `hashes` are published, counted from the first, and how many of those are on
    /// the free list.
    pub(super) fn peek(&self, hashes: impl Iterator<Item = u64>) -> (u32, u32) {
        let (mut hits, mut idle) = (0, 0);
        for block in hashes.map_while(|hash| self.published.get(&hash)) {
            hits += 1;
            idle += u32::from(self.blocks[*block as usize].references == 0);
        }
        (hits, idle)
    }

    /// Take another reference on the block published under `hash`.
    pub(super) fn share(&mut self, hash: u64) -> Option<u32> {
        let block = *self.published.get(&hash)?;
        if self.blocks[block as usize].references == 0 {
            self.unlink(block);
        }
        self.blocks[block as usize].references += 1;
        Some(block)
    }

    /// Take the longest unused block; what it held is forgotten.
    pub(super) fn allocate(&mut self) -> Option<u32> {
        let block = self.head;
        if block == NONE {
            return None;
        }
        self.unlink(block);
        let slot = &mut self.blocks[block as usize];
        slot.references = 1;
        if let Some(hash) = slot.hash.take() {
            self.published.remove(&hash);
        }
        Some(block)
    }

    /// Make a full block available to other sequences; the first of equal blocks stays published.
    pub(super) fn publish(&mut self, block: u32, hash: u64) {
        let slot = &mut self.blocks[block as usize];
        if slot.hash.is_none() && !self.published.contains_key(&hash) {
            slot.hash = Some(hash);
            self.published.insert(hash, block);
        }
    }

    /// Give back all of a sequence's blocks.
    pub(super) fn release(&mut self, blocks: &mut Vec<u32>) {
        while let Some(block) = blocks.pop() {
            let slot = &mut self.blocks[block as usize];
            slot.references = slot.references.saturating_sub(1);
            if slot.references == 0 {
                self.append(block);
            }
        }
    }

    fn append(&mut self, block: u32) {
        let last = self.tail;
        self.blocks[block as usize].previous = last;
        self.blocks[block as usize].next = NONE;
        match self.blocks.get_mut(last as usize) {
            Some(slot) => slot.next = block,
            None => self.head = block,
        }
        self.tail = block;
        self.free += 1;
    }

    fn unlink(&mut self, block: u32) {
        let Block { previous, next, .. } = self.blocks[block as usize];
        match self.blocks.get_mut(previous as usize) {
            Some(slot) => slot.next = next,
            None => self.head = next,
        }
        match self.blocks.get_mut(next as usize) {
            Some(slot) => slot.previous = previous,
            None => self.tail = previous,
        }
        self.free -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_block_is_hit_until_it_is_evicted() {
        let mut cache = KvCache::new(2);
        let mut first = vec![cache.allocate().unwrap()];
        cache.publish(first[0], 7);
        assert_eq!(cache.peek([7, 8].into_iter()), (1, 0));
        cache.release(&mut first);
        assert_eq!((cache.peek([7].into_iter()), cache.free()), ((1, 1), 2));
        let mut shared = vec![cache.share(7).unwrap()];
        assert_eq!(cache.free(), 1);
        cache.release(&mut shared);
        let mut all = vec![cache.allocate().unwrap(), cache.allocate().unwrap()];
        assert_eq!((cache.allocate(), cache.share(7)), (None, None));
        cache.release(&mut all);
        assert_eq!(cache.free(), 2);
    }

    #[test]
    fn the_end_of_a_sequence_is_evicted_before_its_head() {
        let mut cache = KvCache::new(2);
        let mut blocks = vec![cache.allocate().unwrap(), cache.allocate().unwrap()];
        cache.publish(blocks[0], 1);
        cache.publish(blocks[1], 2);
        cache.release(&mut blocks);
        cache.allocate().unwrap();
        assert_eq!(cache.peek([1, 2].into_iter()), (1, 1));
    }

    #[test]
    fn a_shared_block_is_free_when_the_last_one_leaves() {
        let mut cache = KvCache::new(1);
        let mut a = vec![cache.allocate().unwrap()];
        cache.publish(a[0], 1);
        let mut b = vec![cache.share(1).unwrap()];
        cache.release(&mut a);
        assert_eq!(cache.free(), 0);
        cache.release(&mut b);
        assert_eq!(cache.free(), 1);
    }
}
