//! Rows of a counting sink on one worker: how often each came, and a file from which that can be
//! rebuilt, because the totals are only written at the end of the run.

use std::fs;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::commit::{Commit, Content, counts_name, counts_of, damaged};
use crate::error::DataflowError;
use crate::sinks::Part;

/// Most distinct rows of a counting sink on one worker: they are kept in memory until the end.
pub(super) const MOST_DISTINCT: usize = 1 << 20;

/// Counted rows, packed.
pub(super) type Rows = FxHashMap<Box<[u8]>, u64>;

/// What one worker counted.
pub(super) struct Counts {
    all: Rows,
    /// Since they were last written down.
    fresh: Rows,
    log: Part,
}

impl Counts {
    /// Of one sink; with this worker's share of what earlier generations counted.
    pub(super) fn create(
        out: &Path,
        sink: usize,
        generation: u32,
        peer: usize,
        peers: usize,
        earlier: &Commit,
    ) -> Result<Self, DataflowError> {
        let log = Part::create(out, counts_name(sink, generation, peer), Content::Counts)?;
        let all = earlier_rows(out, sink, peer, peers, earlier)?;
        Ok(Counts { all, fresh: Rows::default(), log })
    }

    /// A packed row came.
    pub(super) fn add(&mut self, row: &[u8]) {
        match self.fresh.get_mut(row) {
            Some(count) => *count += 1,
            None => drop(self.fresh.insert(row.into(), 1)),
        }
    }

    /// Write down what came since the last time; `false` if there are too many distinct rows.
    pub(super) fn settle(&mut self) -> bool {
        let mut entry = Vec::new();
        for (row, count) in self.fresh.drain() {
            append(&mut self.log, &mut entry, &row, count);
            let full = self.all.len() >= MOST_DISTINCT;
            match self.all.get_mut(&row) {
                Some(total) => *total += count,
                None if full => return false,
                None => drop(self.all.insert(row, count)),
            }
        }
        true
    }

    pub(super) fn log(&mut self) -> &mut Part {
        &mut self.log
    }

    /// All counts, taken out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Box<[u8]>, u64)> + use<> {
        std::mem::take(&mut self.all).into_iter()
    }
}

/// Write down a row and how often it came.
pub(super) fn append(log: &mut Part, entry: &mut Vec<u8>, row: &[u8], count: u64) {
    entry.clear();
    entry.extend_from_slice(&count.to_le_bytes());
    entry.extend_from_slice(&(row.len() as u32).to_le_bytes());
    entry.extend_from_slice(row);
    log.write(entry, 1);
}

/// One worker's share of the rows that earlier generations wrote down for a sink.
pub(super) fn earlier_rows(
    out: &Path,
    sink: usize,
    peer: usize,
    peers: usize,
    earlier: &Commit,
) -> Result<Rows, DataflowError> {
    let mut all = Rows::default();
    let files = earlier.files.iter().filter(|(name, _)| counts_of(sink, name));
    for (_, (name, extent)) in files.enumerate().filter(|(at, _)| at % peers.max(1) == peer) {
        let path = out.join(name);
        let bytes = fs::read(&path).map_err(|reason| DataflowError::File {
            action: "read",
            path: path.clone(),
            reason,
        })?;
        bytes
            .get(..extent.length as usize)
            .and_then(|bytes| load(bytes, &mut all))
            .ok_or_else(|| damaged(&path, "its rows cannot be read".into()))?;
    }
    Ok(all)
}

/// Add up what [`append`] wrote.
fn load(mut bytes: &[u8], into: &mut Rows) -> Option<()> {
    while !bytes.is_empty() {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (row, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *into.entry(row.into()).or_default() += u64::from_le_bytes(*count);
        bytes = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::begin;

    #[test]
    fn counts_are_rebuilt_by_however_many_workers_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        begin(out).unwrap();
        let mut earlier = Commit::default();
        for peer in 0..3 {
            let mut counts = Counts::create(out, 0, 1, peer, 3, &Commit::default()).unwrap();
            for _ in 0..2 {
                (0..=peer).for_each(|_| counts.add(b"a"));
                counts.add(&[peer as u8; 40]);
                assert!(counts.settle());
            }
            earlier.files.insert(counts_name(0, 1, peer), counts.log().write_out().unwrap());
            // Not committed.
            counts.add(b"a");
            counts.settle();
            counts.log().write_out();
        }
        for (generation, peers) in [(2, 1), (3, 2), (4, 5)] {
            let mut sum = Rows::default();
            for peer in 0..peers {
                let mut counts = Counts::create(out, 0, generation, peer, peers, &earlier).unwrap();
                counts.take().for_each(|(row, count)| *sum.entry(row).or_default() += count);
            }
            assert_eq!(sum.len(), 4);
            assert_eq!(sum[b"a".as_slice()], 12);
            assert_eq!(sum[[2; 40].as_slice()], 2);
        }
        assert!(load(&[1; 13], &mut Rows::default()).is_none());
    }
}
