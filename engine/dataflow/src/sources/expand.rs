//! `flat_map` where nothing in front of it calls or waits: each element of a list leaves the source as a
//! record of its own.
//!
//! Elements are numbered as any records are, in the order of the source, and a run that goes on makes
//! the same ones of it: so each is a task that is committed by itself, and neither the tasks nor their
//! commits know of lists. The elements of one record at a time are in memory.

use std::collections::VecDeque;

use bumpalo::Bump;
use sage_core::expr::{EvalError, Program};
use sage_core::record::{Datum, Items, pack, write_json_object};
use sage_dsl::plan::{ExpandPlan, SourcePlan};

use super::early::Early;
use super::{BadRow, Batch, Source};
use crate::error::DataflowError;

/// A source of elements.
pub(super) struct Expand {
    inner: Box<dyn Source>,
    plan: SourcePlan,
    early: Early,
    list: Program,
    column: usize,
    drops: Vec<usize>,
    /// What the elements of the record have in common, packed.
    common: Vec<u8>,
    /// Those that were not asked for yet, packed.
    elements: VecDeque<Box<[u8]>>,
    /// Whether there is more in the source.
    more: bool,
    left_out: u64,
}

impl Expand {
    pub(super) fn new(
        inner: Box<dyn Source>,
        plan: &SourcePlan,
        expand: &ExpandPlan,
    ) -> Result<Self, DataflowError> {
        Ok(Expand {
            inner,
            plan: plan.clone(),
            early: Early::new(&expand.before)?,
            list: Early::compiled(&expand.list)?,
            column: expand.column,
            drops: expand.drops.clone(),
            common: Vec::new(),
            elements: VecDeque::new(),
            more: true,
            left_out: 0,
        })
    }

    /// Find the elements of a record; `false` for a record that is dropped before.
    fn take(&mut self, row: &[u8]) -> Result<bool, EvalError> {
        let arena = Bump::new();
        let Some(mut columns) = self.early.passed(row, &arena)? else { return Ok(false) };
        let list = self.early.value(&self.list, &columns, &arena)?;
        columns.resize(self.column, Datum::Null);
        self.common.clear();
        for (at, value) in columns.into_iter().enumerate() {
            pack(&mut self.common, if self.drops.contains(&at) { Datum::Null } else { value });
        }
        for element in list.items() {
            let mut packed = Vec::new();
            pack(&mut packed, element);
            self.elements.push_back(packed.into_boxed_slice());
        }
        Ok(true)
    }

    /// Read one record.
    fn refill(&mut self, batch: &mut Batch) -> Result<(), DataflowError> {
        let mut one = Batch::default();
        self.more = self.inner.read(&mut one, 1)?;
        batch.bad.append(&mut one.bad);
        for row in one.rows.iter() {
            match self.take(row) {
                Ok(true) => {}
                Ok(false) => self.left_out += 1,
                Err(error) => {
                    let place = self.inner.place();
                    let place = place.unwrap_or_else(|| format!("source `{}`", self.plan.name));
                    let mut text = Vec::new();
                    write_json_object(&mut text, &self.plan.record, Items::new(row));
                    let reason = format!("before its `flat_map`: {error}");
                    batch.bad.push(BadRow::new(place, &text, reason));
                }
            }
        }
        Ok(())
    }
}

impl Source for Expand {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        while batch.rows.len() + batch.bad.len() < rows {
            match self.elements.pop_front() {
                Some(element) => batch.rows.push(|out| {
                    out.extend_from_slice(&self.common);
                    out.extend_from_slice(&element);
                }),
                None if !self.more => return Ok(false),
                None => self.refill(batch)?,
            }
        }
        Ok(self.more || !self.elements.is_empty())
    }

    fn place(&self) -> Option<String> {
        self.inner.place()
    }

    fn left_out(&self) -> u64 {
        self.inner.left_out() + self.left_out
    }
}
