//! The layout of an index file.
//!
//! ```text
//! magic 8 | version u32 | sections u32 | checksum of the table u64 | table | sections ...
//! table entry: offset u64 | length u64 | checksum u64
//! ```
//!
//! All numbers are little-endian and are read byte by byte, so nothing depends on alignment.
//! Sections start at multiples of 8, stand in the order of [`Section`], and leave no gap but zeros, so
//! there is no byte whose change would go unnoticed.

use std::ops::Range;
use std::path::Path;

use crate::error::RetrievalError;

const MAGIC: &[u8; 8] = b"sageidx\n";
/// Another number for each change of what a file says, that of the words of a text included.
pub(crate) const VERSION: u32 = 3;
pub(crate) const SECTIONS: usize = 18;
const ENTRY: usize = 24;
const TABLE_AT: usize = 24;
pub(crate) const HEADER: usize = TABLE_AT + SECTIONS * ENTRY;

/// What a section holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Section {
    /// Counts and settings, see `index.rs`.
    Meta,
    /// Sorted dictionary of words: fixed entries.
    Terms,
    /// The terms' letters, one after the other.
    TermText,
    /// Per term: document number differences and counts as variable-length numbers.
    Postings,
    /// Words per document, u32.
    Lengths,
    /// Eight-bit vectors.
    Vectors,
    /// One f32 per vector.
    Scales,
    /// Documents + 1 ends of keys (u64) and of rows (u64), interleaved.
    Ends,
    /// Keys, one after the other.
    Keys,
    /// Packed rows, one after the other.
    Rows,
    /// Sorted dictionary of pieces of words.
    PieceTerms,
    /// The pieces' letters.
    PieceText,
    /// As the postings of words.
    PiecePostings,
    /// Pieces per document, u32.
    PieceLengths,
    /// Who is near to whom, see `graph.rs`; empty where all vectors are compared.
    Graph,
    /// 16 bytes per document that tell its text from others.
    Texts,
    /// What the index is made of, see `store.rs`; may be empty.
    Fingerprint,
    /// Who made its vectors; may be empty.
    Maker,
}

/// Where each section lies; all ranges are inside the file.
#[derive(Debug)]
pub(crate) struct Layout([Range<usize>; SECTIONS]);

impl Layout {
    /// Checks header, table and every section of `bytes`.
    pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Self, RetrievalError> {
        let damaged = |detail| RetrievalError::Damaged { path: path.to_owned(), detail };
        if bytes.get(..8) != Some(MAGIC) {
            return Err(RetrievalError::Foreign(path.to_owned()));
        }
        let found = u32_at(bytes, 8).ok_or_else(|| damaged("cut inside the header"))?;
        if found != VERSION {
            let path = path.to_owned();
            return Err(RetrievalError::Version { path, found, supported: VERSION });
        }
        let table = bytes.get(TABLE_AT..HEADER).ok_or_else(|| damaged("cut inside the header"))?;
        if u32_at(bytes, 12) != Some(SECTIONS as u32) || u64_at(bytes, 16) != Some(checksum(table))
        {
            return Err(damaged("wrong checksum of the header"));
        }
        let mut ranges: [Range<usize>; SECTIONS] = std::array::from_fn(|_| 0..0);
        let mut rest = HEADER..bytes.len();
        for (number, range) in ranges.iter_mut().enumerate() {
            let entry =
                |field: usize| u64_at(table, number * ENTRY + field * 8).unwrap_or(u64::MAX);
            let length = usize::try_from(entry(1)).ok().filter(|length| *length <= rest.len());
            let length = length.ok_or_else(|| damaged("cut short"))?;
            *range = rest.start..rest.start + length;
            rest.start = range.end + padding(length);
            let between = bytes.get(range.end..rest.start).ok_or_else(|| damaged("cut short"))?;
            let sound = checksum(&bytes[range.clone()]) == entry(2);
            if !sound || entry(0) != range.start as u64 || between.iter().any(|&byte| byte != 0) {
                return Err(damaged("wrong checksum"));
            }
        }
        if !rest.is_empty() {
            return Err(damaged("longer than it says"));
        }
        Ok(Layout(ranges))
    }

    /// The bytes of a section.
    pub(crate) fn section<'a>(&self, bytes: &'a [u8], section: Section) -> &'a [u8] {
        bytes.get(self.0[section as usize].clone()).unwrap_or(&[])
    }
}

/// Header and padding for sections of these contents, in order; the caller writes the header, then
/// each section followed by its padding.
pub(crate) fn header(sections: &[&[u8]; SECTIONS]) -> Vec<u8> {
    let mut table = Vec::with_capacity(SECTIONS * ENTRY);
    let mut offset = HEADER as u64;
    for section in sections {
        table.extend_from_slice(&offset.to_le_bytes());
        table.extend_from_slice(&(section.len() as u64).to_le_bytes());
        table.extend_from_slice(&checksum(section).to_le_bytes());
        offset += (section.len() + padding(section.len())) as u64;
    }
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(SECTIONS as u32).to_le_bytes());
    bytes.extend_from_slice(&checksum(&table).to_le_bytes());
    bytes.extend_from_slice(&table);
    bytes
}

/// Bytes to add after `length` to reach a multiple of 8.
pub(crate) fn padding(length: usize) -> usize {
    length.wrapping_neg() % 8
}

/// Detects damage, not malice. Each step is a bijection of its lane for a given word, so a change
/// within one word always shows. Four lanes, because one would wait for its own multiplication.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |lane: u64, word: u64| (lane ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let mut lanes = [1_u64, 2, 3, 4];
    let mut chunks = bytes.chunks_exact(32);
    for chunk in &mut chunks {
        for (lane, word) in lanes.iter_mut().zip(chunk.as_chunks::<8>().0) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let tail = chunks.remainder().iter().fold(0, |state, &byte| step(state, u64::from(byte)));
    lanes.into_iter().fold(step(tail, bytes.len() as u64), step)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Appends `value` in 7-bit groups, lowest first; the top bit says that more follow.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads what [`push_varint`] wrote and advances; `None` at the end or for more than 32 bits.
#[inline]
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back() {
        for value in [0, 1, 127, 128, 300, 1 << 20, u32::MAX] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            assert_eq!(take_varint(&mut &bytes[..]), Some(value));
            assert_eq!(take_varint(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take_varint(&mut &[0xff; 9][..]), None);
    }

    #[test]
    fn every_flipped_bit_changes_the_checksum() {
        let mut bytes: Vec<u8> = (0..77).collect();
        let sound = checksum(&bytes);
        for at in 0..bytes.len() * 8 {
            bytes[at / 8] ^= 1 << (at % 8);
            assert_ne!(checksum(&bytes), sound);
            bytes[at / 8] ^= 1 << (at % 8);
        }
        assert_ne!(checksum(&bytes[..76]), sound);
    }
}
