//! What the records of one worker contribute to the steps over all records, and a file from which
//! that can be had again: it is committed with the tasks, as the rows of any sink are.

use std::path::Path;

use super::Writer;
use super::counts::{Rows, append, earlier_rows};
use crate::commit::{Commit, Content, counts_name};
use crate::error::DataflowError;
use crate::relation::Packed;
use crate::sinks::Part;

/// Most bytes that one worker may contribute: they are kept in memory until the end.
pub(super) const MOST_BYTES: u64 = 8 << 30;

/// Contributions of one worker.
pub(super) struct Contributions {
    /// Since they were last written down.
    fresh: Rows,
    log: Part,
    /// Written down and not handed on.
    ready: Vec<(Packed, isize)>,
    bytes: u64,
}

impl Contributions {
    /// With this worker's share of what earlier generations committed; `number` follows that of the
    /// last sink.
    pub(super) fn create(
        out: &Path,
        number: usize,
        writer: Writer,
        earlier: &Commit,
    ) -> Result<Self, DataflowError> {
        let Writer { generation, peer, peers } = writer;
        let log = Part::create(out, counts_name(number, generation, peer), Content::Counts)?;
        let rows = earlier_rows(out, number, peer, peers, earlier)?;
        let ready = rows.into_iter().map(|(row, count)| (Packed(row), count as isize)).collect();
        Ok(Contributions { fresh: Rows::default(), log, ready, bytes: 0 })
    }

    /// A packed row came.
    pub(super) fn add(&mut self, row: &[u8]) {
        match self.fresh.get_mut(row) {
            Some(count) => *count += 1,
            None => drop(self.fresh.insert(row.into(), 1)),
        }
    }

    /// Write down what came since the last time; `false` if there is too much of it.
    pub(super) fn settle(&mut self) -> bool {
        let mut entry = Vec::new();
        for (row, count) in self.fresh.drain() {
            append(&mut self.log, &mut entry, &row, count);
            self.bytes += row.len() as u64;
            self.ready.push((Packed(row), count as isize));
        }
        self.bytes <= MOST_BYTES
    }

    /// What was written down and nobody has taken yet.
    pub(super) fn take(&mut self) -> Vec<(Packed, isize)> {
        std::mem::take(&mut self.ready)
    }

    pub(super) fn log(&mut self) -> &mut Part {
        &mut self.log
    }
}
