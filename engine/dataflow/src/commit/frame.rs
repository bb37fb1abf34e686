//! Records on the disk: a mark, a length, a checksum of both the length and the bytes, the bytes.
//!
//! The end of a file may be torn, and any byte may be wrong. A bad frame with no good one behind it
//! is such an end: the file counts as if it ended before it. A bad frame with a good one behind it is
//! damage within, which cannot be passed over: what it said is lost, and what follows builds on it.

use crc32fast::Hasher;

const HEAD: usize = 12;

/// What a record says. The mark tells, because one cannot stand for the other: a step that is taken
/// for all would leave out the tasks before it, and keep their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// What was committed since the record before.
    Step,
    /// All that was committed until then.
    All,
}

impl Says {
    fn mark(self) -> &'static [u8; 4] {
        match self {
            Says::Step => b"SFc1",
            Says::All => b"SFb1",
        }
    }
}

/// What stands at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'b> {
    /// A whole record, and where the next begins.
    Record(&'b [u8], usize),
    /// The file ends here, or nothing behind is whole.
    End,
    /// A damaged record, with a whole one behind it.
    Damage,
}

/// Append a record.
pub(super) fn append(out: &mut Vec<u8>, says: Says, bytes: &[u8]) {
    let length = (bytes.len() as u32).to_le_bytes();
    out.extend_from_slice(says.mark());
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(length, bytes).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The record that begins at `at`.
pub(super) fn find(file: &[u8], says: Says, at: usize) -> Found<'_> {
    match whole(file, says, at) {
        Some((record, next)) => Found::Record(record, next),
        None if (at + 1..file.len()).any(|later| whole(file, says, later).is_some()) => {
            Found::Damage
        }
        None => Found::End,
    }
}

fn whole(file: &[u8], says: Says, at: usize) -> Option<(&[u8], usize)> {
    let rest = file.get(at..)?.strip_prefix(says.mark())?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let record = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let good = checksum(*length, record) == u32::from_le_bytes(*sum);
    good.then_some((record, at + HEAD + record.len()))
}

fn checksum(length: [u8; 4], bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&length);
    hasher.update(bytes);
    hasher.finalize()
}
