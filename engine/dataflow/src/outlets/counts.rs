//! Rows of a counting sink on one worker: how often each came. The totals are only written at the end
//! of the run, and until then had again from what was noted.

use std::path::Path;

use super::Writer;
use super::noted::{Noted, Rows};
use crate::commit::Commit;
use crate::error::DataflowError;
use crate::sinks::Part;

/// Most distinct rows of a counting sink on one worker: they are kept in memory until the end.
pub(super) const MOST_DISTINCT: usize = 1 << 20;

/// What one worker counted.
pub(super) struct Counts {
    all: Rows,
    noted: Noted,
}

impl Counts {
    /// Of one sink; with this worker's share of what earlier generations counted.
    pub(super) fn create(
        out: &Path,
        sink: usize,
        writer: Writer,
        earlier: &Commit,
    ) -> Result<Self, DataflowError> {
        let (noted, all) = Noted::create(out, sink, writer, earlier)?;
        Ok(Counts { all, noted })
    }

    /// A packed row came.
    pub(super) fn add(&mut self, row: &[u8]) {
        self.noted.add(row);
    }

    /// Write down what came since the last time; `false` if there are too many distinct rows.
    pub(super) fn settle(&mut self) -> bool {
        for (row, count) in self.noted.settle() {
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
        self.noted.log()
    }

    /// All counts, taken out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Box<[u8]>, u64)> + use<> {
        std::mem::take(&mut self.all).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{begin, counts_name};

    fn writer(generation: u32, peer: usize, peers: usize) -> Writer {
        Writer { generation, peer, peers }
    }

    #[test]
    fn counts_are_rebuilt_by_however_many_workers_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        begin(out).unwrap();
        let mut earlier = Commit::default();
        for peer in 0..3 {
            let mut counts =
                Counts::create(out, 0, writer(1, peer, 3), &Commit::default()).unwrap();
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
                let mut counts =
                    Counts::create(out, 0, writer(generation, peer, peers), &earlier).unwrap();
                counts.take().for_each(|(row, count)| *sum.entry(row).or_default() += count);
            }
            assert_eq!(sum.len(), 4);
            assert_eq!(sum[b"a".as_slice()], 12);
            assert_eq!(sum[[2; 40].as_slice()], 2);
        }
    }
}
