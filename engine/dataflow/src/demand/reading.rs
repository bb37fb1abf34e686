//! The rows of a source, and how often it would be read.

use sage_core::record::Rows;
use sage_dsl::plan::{SourcePlan, lookup};
use sage_dsl::types::Value;

use super::Extent;
use crate::error::DataflowError;
use crate::sources::{Batch, is_live, open, renamed};

/// What was read.
pub(super) struct Reading {
    /// The first rows.
    rows: Rows,
    /// Number of the task that each of them is in.
    tasks: Vec<u64>,
    /// Position of the declared key.
    key: Option<usize>,
    /// Tasks of one round through the source.
    round_tasks: u64,
    /// Good records in all rounds.
    pub(super) records: u64,
    /// Rows that are no records.
    pub(super) unreadable: u64,
    /// Records that come too late for their window.
    pub(super) late: u64,
    /// Records that the source leaves out.
    pub(super) left_out: u64,
}

impl Reading {
    /// Read the source as far as needed to know how many records there will be.
    pub(super) fn of(plan: &SourcePlan, extent: Extent) -> Result<Reading, DataflowError> {
        let most = extent.tasks.or(extent.limit).unwrap_or(u64::MAX);
        let morsel = extent.morsel.max(1);
        let mut reading = Reading {
            rows: Rows::default(),
            tasks: Vec::new(),
            key: plan.key,
            round_tasks: 0,
            records: 0,
            unreadable: 0,
            late: 0,
            left_out: 0,
        };
        let mut source = open(plan)?;
        let (mut given, mut more) = (0, true);
        while more && given < most {
            // Enough is known: the rest only has to be counted, and the count may be declared.
            if reading.rows.len() >= extent.distinct
                && let Some(all) = declared(plan)
            {
                reading.records = all;
                break;
            }
            let want = (morsel as u64).min(most - given) as usize;
            let mut batch = Batch::default();
            more = source.read(&mut batch, want)?;
            given += (batch.bad.len() + batch.rows.len() + batch.late.len()) as u64;
            given += source.left_out() - reading.left_out;
            reading.left_out = source.left_out();
            reading.unreadable += batch.bad.len() as u64;
            reading.late += batch.late.len() as u64;
            reading.records += batch.rows.len() as u64;
            let room = extent.distinct.saturating_sub(reading.rows.len());
            for row in batch.rows.iter().take(room) {
                reading.rows.push(|out| out.extend_from_slice(row));
                reading.tasks.push(reading.round_tasks);
            }
            reading.round_tasks += u64::from(!batch.rows.is_empty());
        }
        let can_be_read_again = !is_live(plan) && reading.records > 0;
        if extent.tasks.is_some() && can_be_read_again {
            // Bad rows and those left out count in the first round; so do late ones here, which costs
            // them nothing.
            let others = reading.unreadable + reading.late + reading.left_out;
            reading.records += most.saturating_sub(reading.records + others);
        }
        reading.records = reading.records.min(most);
        Ok(reading)
    }

    /// Different records that are known: those of one round, or if `rounds_differ` as many as there
    /// are, but no more than `most`.
    pub(super) fn distinct(&self, rounds_differ: bool, most: usize) -> usize {
        let all = usize::try_from(self.records).unwrap_or(usize::MAX);
        let known = if rounds_differ { most } else { most.min(self.rows.len()) };
        all.min(known)
    }

    /// Record `n`, and the number of its task.
    pub(super) fn record(&self, n: usize) -> (Vec<u8>, u64) {
        let (row, round) = (n % self.rows.len().max(1), n / self.rows.len().max(1));
        let task = self.tasks.get(row).copied().unwrap_or(0) + round as u64 * self.round_tasks;
        if round == 0 {
            return (self.rows.row(row).to_vec(), task);
        }
        let mut one = Rows::default();
        one.push(|out| out.extend_from_slice(self.rows.row(row)));
        (renamed(&one, self.key, round as u64).row(0).to_vec(), task)
    }
}

/// How many records a source says that it has.
fn declared(plan: &SourcePlan) -> Option<u64> {
    let as_declared = plan.distinct.is_none() && plan.expand.is_none() && plan.watermark.is_none();
    (plan.kind == "generate" && as_declared)
        .then(|| lookup(&plan.args, "count").and_then(Value::as_int).unwrap_or(1000))
        .and_then(|count| u64::try_from(count).ok())
}
