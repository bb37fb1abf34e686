//! The graph of an index: who is near to whom, searched where it lies in the file.
//!
//! It is a hierarchical navigable small world (Malkov and Yashunin, 2016): every document has a
//! list of near ones, and a part of the documents stands in further layers with long steps. A search
//! walks down the layers towards the question, then looks at what is near to the best it has found,
//! until that brings nothing better. It compares some hundred vectors where the exact search
//! compares all, and misses a few of the nearest.
//!
//! A library builds it (see `graph_builder.rs`); only its lists come into the file, so that all
//! workers of a host share them and no damaged byte is trusted:
//!
//! Of documents with the same vector one stands in the graph and knows the others; a crowd of equals
//! would keep a search from looking beyond it.
//!
//! ```text
//! layers u32 | entry u32 | per layer, and for the equals: nodes u32, links u32
//! per layer: numbers of its documents (layer 0 has all, and no list) | ends of lists | lists
//! equals: the same
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sage_core::index::Hit;

use crate::format::u32_at;

/// More layers than any collection has.
pub(crate) const MAX_LAYERS: usize = 16;

/// The section of an open index.
pub(crate) struct Graph<'a> {
    entry: u32,
    documents: u32,
    /// From the lowest.
    layers: Vec<Layer<'a>>,
    /// Of a document in the graph, the others with its vector.
    equals: Layer<'a>,
}

struct Layer<'a> {
    /// Numbers of the documents in it; empty in the lowest, which has all.
    members: &'a [u8],
    ends: &'a [u8],
    lists: &'a [u8],
}

impl<'a> Graph<'a> {
    /// The graph in `bytes`; none where there is none, or where lengths disagree.
    pub(crate) fn read(bytes: &'a [u8], documents: u32) -> Option<Self> {
        let count = u32_at(bytes, 0)? as usize;
        let entry = u32_at(bytes, 4).filter(|entry| *entry < documents)?;
        if !(1..=MAX_LAYERS).contains(&count) {
            return None;
        }
        let mut rest = bytes.get(16 + count * 8..)?;
        let mut take = |numbers: u32| {
            let (taken, more) = rest.split_at_checked((numbers as usize).checked_mul(4)?)?;
            rest = more;
            Some(taken)
        };
        let mut layers = Vec::with_capacity(count);
        for layer in 0..=count {
            let nodes = u32_at(bytes, 8 + layer * 8)?;
            let links = u32_at(bytes, 12 + layer * 8)?;
            if layer == 0 && nodes != documents {
                return None;
            }
            let members = take(if layer == 0 { 0 } else { nodes })?;
            layers.push(Layer { members, ends: take(nodes)?, lists: take(links)? });
        }
        let equals = layers.pop()?;
        rest.is_empty().then_some(Graph { entry, documents, layers, equals })
    }

    /// The documents most like a question, best first, at most `width`; `likeness` tells how much
    /// a document is.
    pub(crate) fn search(&self, width: usize, mut likeness: impl FnMut(u32) -> f32) -> Vec<Hit> {
        let mut at = Found { score: likeness(self.entry), document: self.entry };
        for layer in self.layers.iter().skip(1).rev() {
            // Each step is to a better one, so this ends.
            while let Some(better) = self
                .near(layer, at.document)
                .map(|document| Found { score: likeness(document), document })
                .max()
                .filter(|best| best.score > at.score)
            {
                at = better;
            }
        }
        let Some(lowest) = self.layers.first() else { return Vec::new() };
        let mut seen = vec![0_u64; (self.documents as usize).div_ceil(64)];
        let mut see = |document: u32| {
            let (word, bit) = (document as usize / 64, 1_u64 << (document % 64));
            let new = seen[word] & bit == 0;
            seen[word] |= bit;
            new
        };
        see(at.document);
        let mut open = BinaryHeap::from([at]);
        // The worst on top.
        let mut best = BinaryHeap::from([Reverse(at)]);
        while let Some(next) = open.pop() {
            let full = best.len() >= width;
            if full && best.peek().is_some_and(|Reverse(worst)| next < *worst) {
                break;
            }
            for document in self.near(lowest, next.document) {
                if !see(document) {
                    continue;
                }
                let found = Found { score: likeness(document), document };
                let full = best.len() >= width;
                if full && best.peek().is_some_and(|Reverse(worst)| found < *worst) {
                    continue;
                }
                open.push(found);
                best.push(Reverse(found));
                if best.len() > width {
                    best.pop();
                }
            }
        }
        let mut hits: Vec<Found> = best.into_iter().map(|Reverse(found)| found).collect();
        let equals = |found: &Found| {
            let score = found.score;
            let others = self.near(&self.equals, found.document);
            others.map(move |document| Found { score, document })
        };
        let equals: Vec<Found> = hits.iter().flat_map(equals).collect();
        hits.extend(equals);
        hits.sort_unstable_by(|a, b| b.cmp(a));
        hits.truncate(width);
        let hit = |Found { document, score }| Hit { document, score };
        hits.into_iter().map(hit).collect()
    }

    /// The neighbours of a document in a layer; none where it is not in it.
    fn near<'l>(
        &self,
        layer: &'l Layer<'a>,
        document: u32,
    ) -> impl Iterator<Item = u32> + use<'l, 'a> {
        let documents = self.documents;
        layer.list(document).filter(move |near| *near < documents)
    }
}

impl<'a> Layer<'a> {
    fn list(&self, document: u32) -> impl Iterator<Item = u32> + use<'a> {
        let slot = self.slot(document);
        let end = |slot: usize| u32_at(self.ends, slot * 4).map(|end| end as usize * 4);
        let bytes = slot.and_then(|slot| {
            let start = slot.checked_sub(1).map_or(Some(0), end)?;
            self.lists.get(start..end(slot)?)
        });
        bytes.unwrap_or(&[]).as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four))
    }

    fn slot(&self, document: u32) -> Option<usize> {
        if self.members.is_empty() {
            return Some(document as usize);
        }
        let members = self.members.as_chunks::<4>().0;
        members.binary_search_by_key(&document, |four| u32::from_le_bytes(*four)).ok()
    }
}

/// A document by how good it is: the higher score, then the lower number.
#[derive(Debug, Clone, Copy)]
struct Found {
    score: f32,
    document: u32,
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let score = self.score.total_cmp(&other.score);
        score.then_with(|| other.document.cmp(&self.document))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Found {}
