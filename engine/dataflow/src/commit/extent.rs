//! How far a file has grown, with a checksum of all that is in it.

use crc32fast::Hasher;

/// What a part file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Content {
    /// Rows of a sink, or dead letters: final once they are committed.
    Rows = 0,
    /// Rows of a counting sink with how often they came, from which its totals are rebuilt.
    Counts = 1,
    /// The totals of a counting sink. They are written at the end of a run, and again by the next
    /// generation if that end was not reached.
    Totals = 2,
}

impl Content {
    pub(super) fn of(number: u8) -> Option<Self> {
        [Content::Rows, Content::Counts, Content::Totals]
            .into_iter()
            .find(|content| *content as u8 == number)
    }
}

/// The committed part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// What it holds.
    pub content: Content,
    /// Bytes.
    pub length: u64,
    /// Rows in them.
    pub rows: u64,
    /// CRC-32 of these bytes.
    pub checksum: u32,
}

/// How far a file has grown, and by what.
#[derive(Debug)]
pub(crate) struct Growth<'b> {
    /// With the bytes.
    pub(crate) extent: Extent,
    /// Taken by whoever writes them.
    pub(crate) bytes: &'b mut Vec<u8>,
}

/// Follows a file as it grows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grown {
    length: u64,
    rows: u64,
    hasher: Hasher,
}

impl Grown {
    pub(crate) fn add(&mut self, bytes: &[u8], rows: u64) {
        self.length += bytes.len() as u64;
        self.rows += rows;
        self.hasher.update(bytes);
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn extent(&self, content: Content) -> Extent {
        let checksum = self.hasher.clone().finalize();
        Extent { content, length: self.length, rows: self.rows, checksum }
    }
}
