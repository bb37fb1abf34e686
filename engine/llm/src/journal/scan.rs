//! Walking the entries of a segment, whatever happened to its bytes.
//!
//! A head that is right is believed: when its payload is damaged only this entry is lost and the
//! next one is found by the length. Where there is no right head the walk looks for the next one.
//! Bytes with nothing right behind them are no damage yet: they are the entry that a living writer
//! is writing, or one that a dead writer did not finish; the caller knows which.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::frame::{HEAD, Head, MARK};

const WINDOW: usize = 256 << 10;

/// Where a walk came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walked {
    /// Behind the last whole entry; a later walk goes on from here.
    pub(super) next: u64,
    /// Damaged places that were passed.
    pub(super) damaged: u64,
}

/// The part of the file that was read last.
struct Window<'a> {
    file: &'a File,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// `length` bytes at `offset`, all before the end, and what follows them in the window.
    fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let held = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + length as u64 > held {
            let most = (self.end - offset).min(length.max(WINDOW) as u64) as usize;
            self.bytes.resize(most, 0);
            self.start = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        Ok(&self.bytes[(offset - self.start) as usize..])
    }

    /// Where the next mark stands, from `offset` on.
    fn mark(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        while offset + MARK.len() as u64 <= self.end {
            let bytes = self.at(offset, MARK.len())?;
            if let Some(found) = bytes.windows(MARK.len()).position(|four| four == MARK) {
                return Ok(Some(offset + found as u64));
            }
            offset += (bytes.len() - MARK.len() + 1) as u64;
        }
        Ok(None)
    }
}

/// Show `see` each whole entry between `from` and `end`, with its offset and length. Stops at
/// the first entry boundary behind `budget` bytes.
pub(super) fn walk(
    file: &File,
    from: u64,
    end: u64,
    budget: u64,
    mut see: impl FnMut(&Head, &[u8], u64, u32),
) -> io::Result<Walked> {
    let mut window = Window { file, end, start: 0, bytes: Vec::new() };
    let mut walked = Walked { next: from, damaged: 0 };
    let mut at = from;
    while at + HEAD as u64 <= end && (walked.next - from) < budget {
        let head = Head::read(window.at(at, HEAD)?, at);
        let Some(head) = head else {
            match window.mark(at + 1)? {
                Some(next) => at = next,
                None => break,
            }
            continue;
        };
        // Something right behind wrong bytes: those were damage, not the end.
        walked.damaged += u64::from(at > walked.next);
        walked.next = at;
        let length = HEAD + head.payload();
        if at + length as u64 > end {
            break;
        }
        let payload = &window.at(at, length)?[HEAD..length];
        if head.fits(payload) && std::str::from_utf8(head.model(payload)).is_ok() {
            see(&head, payload, at, length as u32);
        } else {
            walked.damaged += 1;
        }
        at += length as u64;
        walked.next = at;
    }
    Ok(walked)
}
