//! Okapi BM25 over the dictionary and postings of an index file.
//!
//! Scores go into one number per document: a query touches a few lists of a few thousand entries,
//! and fusion needs the scores of all documents anyway, so skipping ahead in lists would buy
//! nothing at the sizes this index is meant for (up to some millions of passages).

use crate::format::{push_varint, take_varint, u32_at, u64_at};

/// Saturation of term counts.
const K1: f32 = 1.2;
/// Share of length normalisation.
const B: f32 = 0.75;
/// Bytes of a dictionary entry: end of text u32, documents u32, end of postings u64.
pub(crate) const ENTRY: usize = 16;

/// Postings of one term while the index is built.
#[derive(Debug, Default)]
struct Postings {
    documents: u32,
    last: u32,
    bytes: Vec<u8>,
}

impl Postings {
    /// Adds a document; numbers must rise.
    fn push(&mut self, document: u32, count: u32) {
        push_varint(&mut self.bytes, document - self.last);
        push_varint(&mut self.bytes, count);
        self.last = document;
        self.documents += 1;
    }

    /// Appends postings, text and entry to the three sections; `None` when the text is too long
    /// for the format.
    fn write(
        &self,
        term: &str,
        entries: &mut Vec<u8>,
        text: &mut Vec<u8>,
        postings: &mut Vec<u8>,
    ) -> Option<()> {
        text.extend_from_slice(term.as_bytes());
        postings.extend_from_slice(&self.bytes);
        entries.extend_from_slice(&u32::try_from(text.len()).ok()?.to_le_bytes());
        entries.extend_from_slice(&self.documents.to_le_bytes());
        entries.extend_from_slice(&(postings.len() as u64).to_le_bytes());
        Some(())
    }
}

/// Postings of all terms while the index is built.
#[derive(Debug, Default)]
pub(crate) struct Inverted {
    postings: Vec<Postings>,
    lengths: Vec<u8>,
    total: u64,
}

/// The four sections that a [`Lexicon`] reads, the number of terms, and that of occurrences.
pub(crate) struct Written {
    pub(crate) sections: [Vec<u8>; 4],
    pub(crate) terms: u32,
    pub(crate) total: u64,
}

impl Inverted {
    /// Adds a document with these terms, which are put in order.
    pub(crate) fn push(&mut self, document: u32, terms: &mut [u32]) {
        let length = terms.len() as u32;
        self.lengths.extend_from_slice(&length.to_le_bytes());
        self.total += u64::from(length);
        terms.sort_unstable();
        for same in terms.chunk_by(|a, b| a == b) {
            let term = same[0] as usize;
            if self.postings.len() <= term {
                self.postings.resize_with(term + 1, Postings::default);
            }
            self.postings[term].push(document, same.len() as u32);
        }
    }

    /// The sections for `terms`, which are sorted; `None` when they are too long for the format.
    pub(crate) fn write(self, terms: &[(Box<str>, u32)]) -> Option<Written> {
        let (mut entries, mut text, mut postings) = (Vec::new(), Vec::new(), Vec::new());
        for (term, number) in terms {
            let list = self.postings.get(*number as usize)?;
            list.write(term, &mut entries, &mut text, &mut postings)?;
        }
        let sections = [entries, text, postings, self.lengths];
        Some(Written { sections, terms: terms.len() as u32, total: self.total })
    }
}

/// The lexical sections of an open index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lexicon<'a> {
    pub(crate) entries: &'a [u8],
    pub(crate) text: &'a [u8],
    pub(crate) postings: &'a [u8],
    pub(crate) lengths: &'a [u8],
    pub(crate) documents: usize,
    pub(crate) words: u64,
}

impl<'a> Lexicon<'a> {
    /// Score of every document for the terms; 0 where none occurs.
    pub(crate) fn scores(&self, terms: &[(String, u32)]) -> Vec<f32> {
        let mut scores = vec![0.0; self.documents];
        let average = (self.words as f32 / self.documents.max(1) as f32).max(1.0);
        for (term, asked) in terms {
            let Some((documents, mut list)) = self.find(term.as_bytes()) else { continue };
            let weight = idf(self.documents, documents) * *asked as f32;
            let mut document = 0_usize;
            for _ in 0..documents {
                let (Some(step), Some(count)) = (take_varint(&mut list), take_varint(&mut list))
                else {
                    break;
                };
                document += step as usize;
                let Some(score) = scores.get_mut(document) else { break };
                let length = u32_at(self.lengths, document * 4).unwrap_or(0) as f32;
                *score += weight * saturation(count as f32, length / average);
            }
        }
        scores
    }

    /// Number of documents with the term, and its postings.
    fn find(&self, term: &[u8]) -> Option<(u32, &'a [u8])> {
        let (mut low, mut high) = (0, self.entries.len() / ENTRY);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.term(middle)?.cmp(term) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let end = |entry: usize| u64_at(self.entries, entry * ENTRY + 8);
                    let start = middle.checked_sub(1).map_or(Some(0), end)?;
                    let list = self.postings.get(start as usize..end(middle)? as usize)?;
                    return Some((u32_at(self.entries, middle * ENTRY + 4)?, list));
                }
            }
        }
        None
    }

    fn term(&self, entry: usize) -> Option<&'a [u8]> {
        let end = |entry: usize| u32_at(self.entries, entry * ENTRY);
        let start = entry.checked_sub(1).map_or(Some(0), end)?;
        self.text.get(start as usize..end(entry)? as usize)
    }
}

/// Weight of a term by how few documents have it; never negative.
fn idf(all: usize, with: u32) -> f32 {
    let (all, with) = (all as f32, with as f32);
    (1.0 + (all - with + 0.5).max(0.0) / (with + 0.5)).ln()
}

/// What `count` occurrences in a document of `length` times the average are worth.
fn saturation(count: f32, length: f32) -> f32 {
    count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length))
}
