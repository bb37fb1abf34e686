//! `Commit`: what was committed, in one record or in many that were added up.

use std::collections::BTreeMap;

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use super::extent::{Content, Extent};
use super::layout::part_of;
use crate::outlets::DEAD_LETTERS;

/// Records of the done tasks by what became of them, and rows that never became records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Succeeded.
    pub ok: u64,
    /// In the dead letters.
    pub dead: u64,
    /// In the dead letters because their time was up.
    pub late: u64,
    /// Rows of the source that are no records; in the dead letters, too.
    pub unreadable: u64,
}

impl Outcomes {
    /// Records and unreadable rows together.
    pub fn total(&self) -> u64 {
        [self.ok, self.dead, self.late, self.unreadable]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(crate) fn add(&mut self, more: Outcomes) {
        self.ok = self.ok.saturating_add(more.ok);
        self.dead = self.dead.saturating_add(more.dead);
        self.late = self.late.saturating_add(more.late);
        self.unreadable = self.unreadable.saturating_add(more.unreadable);
    }
}

/// What was committed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// The generation that committed it; of a base, the last one that is in it.
    pub generation: u32,
    /// Number of the record in its manifest, from 1.
    pub sequence: u64,
    /// Of the tasks in `done`.
    pub outcomes: Outcomes,
    /// Numbers of the tasks that ended.
    pub done: RoaringTreemap,
    /// Length of each part file, by its name within the run's folder.
    pub files: BTreeMap<String, Extent>,
}

impl Commit {
    /// Rows of the steps over all records that are in the dead letters.
    pub fn dead_rows(&self) -> u64 {
        let of_dead = part_of(DEAD_LETTERS);
        let parts = self.files.iter().filter(|(name, _)| name.starts_with(&of_dead));
        let computed = parts.filter(|(_, extent)| extent.content == Content::Totals);
        computed.map(|(_, extent)| extent.rows).sum()
    }

    /// Take in a later record; `Err` with a task that both say they finished.
    pub(super) fn absorb(&mut self, later: &Commit) -> Result<(), u64> {
        let before = self.done.len();
        self.done |= &later.done;
        if self.done.len() != before.saturating_add(later.done.len()) {
            return Err(later.done.min().unwrap_or(0));
        }
        self.outcomes.add(later.outcomes);
        self.files.extend(later.files.iter().map(|(name, extent)| (name.clone(), *extent)));
        self.generation = self.generation.max(later.generation);
        self.sequence = later.sequence;
        Ok(())
    }

    /// As bytes: numbers in little-endian order, texts behind their length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.done.serialized_size());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        let Outcomes { ok, dead, late, unreadable } = self.outcomes;
        [ok, dead, late, unreadable].iter().for_each(|count| out.extend(count.to_le_bytes()));
        out.extend_from_slice(&(self.files.len() as u32).to_le_bytes());
        for (name, extent) in &self.files {
            out.push(extent.content as u8);
            out.extend_from_slice(&extent.length.to_le_bytes());
            out.extend_from_slice(&extent.rows.to_le_bytes());
            out.extend_from_slice(&extent.checksum.to_le_bytes());
            out.extend_from_slice(&(name.len() as u32).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        }
        // Writing to memory does not fail.
        let _ = self.done.serialize_into(&mut out);
        out
    }

    /// What [`Commit::encode`] wrote; `None` for anything else.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Commit> {
        let bytes = &mut bytes;
        let sequence = u64::from_le_bytes(take(bytes)?);
        let generation = u32::from_le_bytes(take(bytes)?);
        let mut counts = [0_u64; 4];
        for count in &mut counts {
            *count = u64::from_le_bytes(take(bytes)?);
        }
        let [ok, dead, late, unreadable] = counts;
        let mut files = BTreeMap::new();
        for _ in 0..u32::from_le_bytes(take(bytes)?) {
            let [content] = take::<1>(bytes)?;
            let content = Content::of(content)?;
            let length = u64::from_le_bytes(take(bytes)?);
            let rows = u64::from_le_bytes(take(bytes)?);
            let checksum = u32::from_le_bytes(take(bytes)?);
            let name = u32::from_le_bytes(take(bytes)?) as usize;
            let (name, rest) = bytes.split_at_checked(name)?;
            *bytes = rest;
            let name = std::str::from_utf8(name).ok()?.to_owned();
            files.insert(name, Extent { content, length, rows, checksum });
        }
        let done = RoaringTreemap::deserialize_from(&mut *bytes).ok()?;
        let outcomes = Outcomes { ok, dead, late, unreadable };
        bytes.is_empty().then_some(Commit { generation, sequence, outcomes, done, files })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}
