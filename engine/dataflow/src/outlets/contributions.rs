//! What the records of one worker contribute to the steps over all records. It is noted as the rows of
//! a counting sink are, and so committed with the tasks.

use std::path::Path;

use super::Writer;
use super::noted::Noted;
use crate::commit::Commit;
use crate::error::DataflowError;
use crate::relation::Packed;
use crate::sinks::Part;

/// Most bytes that one worker may contribute: they are kept in memory until the end.
pub(super) const MOST_BYTES: u64 = 8 << 30;

/// Contributions of one worker.
pub(super) struct Contributions {
    noted: Noted,
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
        let (noted, rows) = Noted::create(out, number, writer, earlier)?;
        let ready = rows.into_iter().map(|(row, count)| (Packed(row), count as isize)).collect();
        Ok(Contributions { noted, ready, bytes: 0 })
    }

    /// A packed row came.
    pub(super) fn add(&mut self, row: &[u8]) {
        self.noted.add(row);
    }

    /// Write down what came since the last time; `false` if there is too much of it.
    pub(super) fn settle(&mut self) -> bool {
        for (row, count) in self.noted.settle() {
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
        self.noted.log()
    }
}
