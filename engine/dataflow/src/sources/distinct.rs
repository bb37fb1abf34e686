//! `dedup by` right behind `from`: of the records with one key only the first leaves the source.
//!
//! A source is read in order and by one thread, so the first is the same one in every run, and in a
//! run that goes on, which reads it again from its beginning. What is left out costs nothing.

use bumpalo::Bump;
use rustc_hash::FxHashSet;
use sage_core::expr::{CompileError, Program, Templates};
use sage_core::record::{Items, pack};
use sage_dsl::plan::{DistinctPlan, SourcePlan};

use super::{BadRow, Batch, Source, broken};
use crate::error::DataflowError;

/// Most bytes of keys: they are kept in memory.
const MOST_BYTES: usize = 4 << 30;

/// A source without what it has had before.
pub(super) struct Distinct {
    inner: Box<dyn Source>,
    plan: SourcePlan,
    keys: Vec<Program>,
    seen: FxHashSet<Box<[u8]>>,
    bytes: usize,
    left_out: u64,
    templates: Templates,
}

impl Distinct {
    pub(super) fn new(
        inner: Box<dyn Source>,
        plan: &SourcePlan,
        distinct: &DistinctPlan,
    ) -> Result<Self, DataflowError> {
        let keys: Result<_, CompileError> = distinct.keys.iter().map(Program::compile).collect();
        let keys = keys.map_err(|error| DataflowError::Plan(error.to_string()))?;
        Ok(Distinct {
            inner,
            plan: plan.clone(),
            keys,
            seen: FxHashSet::default(),
            bytes: 0,
            left_out: 0,
            templates: Templates::default(),
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
            let columns: Vec<_> = Items::new(row).collect();
            let mut key = Vec::new();
            let keyed = self.keys.iter().try_for_each(|program| {
                program
                    .evaluate(&columns, &self.templates, &arena)
                    .map(|value| pack(&mut key, value))
            });
            if let Err(error) = keyed {
                let place = format!("source `{}`", self.plan.name);
                let reason = format!("the key of `dedup` cannot be computed: {error}");
                batch.bad.push(BadRow::new(place, b"", reason));
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

    fn left_out(&self) -> u64 {
        self.left_out
    }
}
