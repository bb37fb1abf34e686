//! `lateness` of a window: a record that lies too far behind the newest one before it leaves the source
//! as a late one.
//!
//! By the order of the source, and not by the time of day or by who is done first: so the same records
//! are late in every run, for any number of workers, and in a run that goes on. A window that ends so
//! far behind the newest record gets no more of them.

use bumpalo::Bump;
use sage_core::expr::Program;
use sage_core::record::{Datum, Rows};
use sage_dsl::plan::WatermarkPlan;

use super::early::Early;
use super::{Batch, Source};
use crate::error::DataflowError;

/// A source that knows how late its records are.
pub(super) struct Watermark {
    inner: Box<dyn Source>,
    early: Early,
    at: Program,
    lateness: i64,
    newest: Option<i64>,
}

impl Watermark {
    pub(super) fn new(inner: Box<dyn Source>, plan: &WatermarkPlan) -> Result<Self, DataflowError> {
        let (early, at) = (Early::new(&plan.before)?, Early::compiled(&plan.at)?);
        Ok(Watermark { inner, early, at, lateness: plan.lateness, newest: None })
    }

    /// Whether this record is late. One whose time is null or cannot be computed is not: it lies in no
    /// window, or fails in the flow.
    fn is_late(&mut self, row: &[u8], arena: &Bump) -> bool {
        let time = self.early.columns(row, arena).and_then(|columns| {
            self.early.value(&self.at, &columns, arena).ok().and_then(Datum::as_int)
        });
        let Some(time) = time else { return false };
        let newest = self.newest.unwrap_or(time);
        self.newest = Some(newest.max(time));
        time < newest.saturating_sub(self.lateness)
    }
}

impl Source for Watermark {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        let more = self.inner.read(batch, rows)?;
        let all = std::mem::take(&mut batch.rows);
        let mut arena = Bump::new();
        for row in all.iter() {
            arena.reset();
            let into: &mut Rows =
                if self.is_late(row, &arena) { &mut batch.late } else { &mut batch.rows };
            into.push(|out| out.extend_from_slice(row));
        }
        Ok(more)
    }

    fn left_out(&self) -> u64 {
        self.inner.left_out()
    }
}
