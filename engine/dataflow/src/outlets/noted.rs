//! Packed rows with how often they came: counted until the next commit, then written down in a file
//! from which that can be had again.

use std::fs;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::Writer;
use crate::commit::{Commit, Content, counts_name, counts_of, damaged};
use crate::error::DataflowError;
use crate::sinks::Part;

/// Counted rows, packed.
pub(super) type Rows = FxHashMap<Box<[u8]>, u64>;

/// What came since it was last written down, and where it is written.
pub(super) struct Noted {
    fresh: Rows,
    log: Part,
}

impl Noted {
    /// Of one worker and one sink; with this worker's share of what earlier generations wrote down.
    pub(super) fn create(
        out: &Path,
        sink: usize,
        writer: Writer,
        earlier: &Commit,
    ) -> Result<(Self, Rows), DataflowError> {
        let Writer { generation, peer, .. } = writer;
        let log = Part::create(out, counts_name(sink, generation, peer), Content::Counts)?;
        Ok((Noted { fresh: Rows::default(), log }, earlier_rows(out, sink, writer, earlier)?))
    }

    /// A packed row came.
    pub(super) fn add(&mut self, row: &[u8]) {
        match self.fresh.get_mut(row) {
            Some(count) => *count += 1,
            None => drop(self.fresh.insert(row.into(), 1)),
        }
    }

    /// Write down what came since the last time, row by row as it is asked for.
    pub(super) fn settle(&mut self) -> impl Iterator<Item = (Box<[u8]>, u64)> {
        let Noted { fresh, log } = self;
        let mut entry = Vec::new();
        fresh.drain().inspect(move |(row, count)| {
            entry.clear();
            append(&mut entry, row, *count);
            log.write(&entry, 1);
        })
    }

    pub(super) fn log(&mut self) -> &mut Part {
        &mut self.log
    }
}

/// One worker's share of the rows that earlier generations wrote down for a sink.
fn earlier_rows(
    out: &Path,
    sink: usize,
    Writer { peer, peers, .. }: Writer,
    earlier: &Commit,
) -> Result<Rows, DataflowError> {
    let mut all = Rows::default();
    read(
        out,
        sink,
        earlier,
        |at| at % peers.max(1) == peer,
        |row, count| {
            *all.entry(row.into()).or_default() += count;
        },
    )?;
    Ok(all)
}

/// Read what earlier generations wrote down for a sink, of those files that `which` chooses by their
/// number.
pub(super) fn read(
    out: &Path,
    sink: usize,
    earlier: &Commit,
    which: impl Fn(usize) -> bool,
    mut each: impl FnMut(&[u8], u64),
) -> Result<(), DataflowError> {
    let files = earlier.files.iter().filter(|(name, _)| counts_of(sink, name));
    for (_, (name, extent)) in files.enumerate().filter(|(at, _)| which(*at)) {
        let path = out.join(name);
        let bytes = fs::read(&path).map_err(|reason| DataflowError::File {
            action: "read",
            path: path.clone(),
            reason,
        })?;
        bytes
            .get(..extent.length as usize)
            .and_then(|bytes| load(bytes, &mut each))
            .ok_or_else(|| damaged(&path, "its rows cannot be read".into()))?;
    }
    Ok(())
}

/// An entry of such a file.
pub(super) fn append(bytes: &mut Vec<u8>, row: &[u8], count: u64) {
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&(row.len() as u32).to_le_bytes());
    bytes.extend_from_slice(row);
}

/// Each entry that [`append`] wrote.
fn load(mut bytes: &[u8], mut each: impl FnMut(&[u8], u64)) -> Option<()> {
    while !bytes.is_empty() {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (row, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        each(row, u64::from_le_bytes(*count));
        bytes = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_down_is_not_read() {
        assert!(load(&[1; 13], |_, _| ()).is_none());
        let mut bytes = Vec::new();
        append(&mut bytes, b"a", 3);
        append(&mut bytes, b"a", 3);
        let mut all = 0;
        load(&bytes, |row, count| {
            assert_eq!(row, b"a");
            all += count;
        })
        .unwrap();
        assert_eq!(all, 6);
        assert!(load(&bytes[..bytes.len() - 1], |_, _| ()).is_none());
    }
}
