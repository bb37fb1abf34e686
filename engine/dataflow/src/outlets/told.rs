//! What a sink that sends its rows on was given of the steps over all records, over all generations of a
//! run: packed rows, with how often each is given and not taken back.
//!
//! The steps are computed anew by each generation. Rows in a file are made anew with them; rows that have
//! left cannot be. So what was given is noted, in one commit with the rows themselves, and the next
//! generation gives only what differs from it, by however many workers.

use std::path::Path;

use rustc_hash::FxHashMap;

use super::Writer;
use super::noted::{append, read};
use crate::commit::{Commit, Content, counts_name};
use crate::error::DataflowError;
use crate::relation::Packed;
use crate::sinks::Part;

/// Of one sink on one worker.
pub(super) struct Told {
    log: Part,
    in_order: bool,
    before: FxHashMap<Packed, isize>,
    entry: Vec<u8>,
}

impl Told {
    /// With what earlier generations were told of the rows that are `mine`; `in_order` if one worker
    /// has them all.
    pub(super) fn create(
        out: &Path,
        sink: usize,
        writer: Writer,
        earlier: &Commit,
        mine: impl Fn(&[u8]) -> bool,
        in_order: bool,
    ) -> Result<Self, DataflowError> {
        let Writer { generation, peer, .. } = writer;
        let log = Part::create(out, counts_name(sink, generation, peer), Content::Counts)?;
        let mut before: FxHashMap<Packed, isize> = FxHashMap::default();
        read(
            out,
            sink,
            earlier,
            |_| true,
            |row, count| {
                if mine(row) {
                    *before.entry(Packed(row.into())).or_default() += count.cast_signed() as isize;
                }
            },
        )?;
        before.retain(|_, count| *count != 0);
        Ok(Told { log, in_order, before, entry: Vec::new() })
    }

    pub(super) fn in_order(&self) -> bool {
        self.in_order
    }

    /// What earlier generations gave, taken out.
    pub(super) fn take(&mut self) -> FxHashMap<Packed, isize> {
        std::mem::take(&mut self.before)
    }

    /// A row is given so many times, or taken back.
    pub(super) fn note(&mut self, row: &[u8], count: isize) {
        self.entry.clear();
        append(&mut self.entry, row, (count as i64).cast_unsigned());
        self.log.write(&self.entry, 1);
    }

    pub(super) fn log(&mut self) -> &mut Part {
        &mut self.log
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::begin;

    #[test]
    fn what_was_given_is_known_to_one_of_the_next_workers_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        begin(out).unwrap();
        let mut earlier = Commit::default();
        for (generation, peers, counts) in [(1, 3, [2, 1, -1]), (2, 2, [-1, -1, 5])] {
            for peer in 0..peers {
                let writer = Writer { generation, peer, peers };
                let mut told =
                    Told::create(out, 4, writer, &Commit::default(), |_| true, false).unwrap();
                for (row, count) in counts.into_iter().enumerate() {
                    if row % peers == peer {
                        told.note(&[row as u8], count);
                    }
                }
                if let Some(extent) = told.log().write_out() {
                    earlier.files.insert(counts_name(4, generation, peer), extent);
                }
            }
        }
        for peers in 1..5 {
            let mut all = Vec::new();
            for peer in 0..peers {
                let writer = Writer { generation: 2 + peers as u32, peer, peers };
                let mine = |row: &[u8]| usize::from(row[0]) % peers == peer;
                let mut told = Told::create(out, 4, writer, &earlier, mine, false).unwrap();
                all.extend(told.take().into_iter().map(|(row, count)| (row.0[0], count)));
            }
            all.sort_unstable();
            assert_eq!(all, [(0, 1), (2, 4)]);
        }
    }
}
