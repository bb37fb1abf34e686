//! `dedup by` where nothing in front of it calls or waits: of the records with one key only the first
//! leaves the source.
//!
//! A source is read in order and by one thread, so the first is the same one in every run, and in a
//! run that goes on, which reads it again from its beginning. What is left out costs nothing.

use bumpalo::Bump;
use rustc_hash::FxHashSet;
use sage_core::expr::{EvalError, Program};
use sage_core::record::{Items, pack, write_json_object};
use sage_dsl::plan::{DistinctPlan, SourcePlan};

use super::early::Early;
use super::{BadRow, Batch, Source, broken};
use crate::error::DataflowError;

/// Most bytes of keys: they are kept in memory.
const MOST_BYTES: usize = 4 << 30;

/// A source without what it has had before.
pub(super) struct Distinct {
    inner: Box<dyn Source>,
    plan: SourcePlan,
    early: Early,
    keys: Vec<Program>,
    seen: FxHashSet<Box<[u8]>>,
    bytes: usize,
    left_out: u64,
}

impl Distinct {
    pub(super) fn new(
        inner: Box<dyn Source>,
        plan: &SourcePlan,
        distinct: &DistinctPlan,
    ) -> Result<Self, DataflowError> {
        let keys = distinct.keys.iter().map(Early::compiled).collect::<Result<_, _>>()?;
        Ok(Distinct {
            inner,
            plan: plan.clone(),
            early: Early::new(&distinct.before)?,
            keys,
            seen: FxHashSet::default(),
            bytes: 0,
            left_out: 0,
        })
    }
}

impl Source for Distinct {
    fn read(&mut self, batch: &mut Batch, rows: usize) -> Result<bool, DataflowError> {
        let mut all = Batch::default();
        let more = self.inner.read(&mut all, rows)?;
        batch.bad.append(&mut all.bad);
        let mut arena = Bump::new();
        for row in all.rows.iter() {
            arena.reset();
            let Some(columns) = self.early.columns(row, &arena) else {
                batch.rows.push(|out| out.extend_from_slice(row));
                continue;
            };
            let mut key = Vec::new();
            let keyed = self.keys.iter().try_for_each(|program| {
                let value = self.early.value(program, &columns, &arena)?;
                pack(&mut key, value);
                Ok::<(), EvalError>(())
            });
            if let Err(error) = keyed {
                let place = self.inner.place().filter(|_| all.rows.len() == 1);
                let place = place.unwrap_or_else(|| format!("source `{}`", self.plan.name));
                let reason = format!("the key of `dedup` cannot be computed: {error}");
                let mut text = Vec::new();
                write_json_object(&mut text, &self.plan.record, Items::new(row));
                batch.bad.push(BadRow::new(place, &text, reason));
                continue;
            }
            if self.seen.contains(key.as_slice()) {
                self.left_out += 1;
                continue;
            }
            self.bytes += key.len();
            if self.bytes > MOST_BYTES {
                let most = MOST_BYTES >> 30;
                let message = format!(
                    "its `dedup` has more than {most} GiB of keys, which are kept in memory; take a \
                     shorter key, such as `fnv1a(.text)`"
                );
                return Err(broken(&self.plan, message));
            }
            self.seen.insert(key.into_boxed_slice());
            batch.rows.push(|out| out.extend_from_slice(row));
        }
        Ok(more)
    }

    fn place(&self) -> Option<String> {
        self.inner.place()
    }

    fn left_out(&self) -> u64 {
        self.inner.left_out() + self.left_out
    }
}
