//! What was read of a topic, in which order: written down before tasks are made of it.
//!
//! A task is known by its number in source order, and a file gives the same order each time. The
//! partitions of a topic do not, and what is at their ends grows. So the source writes down each batch
//! before anybody works on it: which offsets of which partitions, and how many tasks they make. The
//! next generation reads the same batches again, as far as they are not done, and goes on behind them.
//! The offsets that a broker keeps for a group cannot stand in for that: they know nothing of the tasks
//! behind them that are done already.
//!
//! ```text
//! commit/offsets.000003    one generation: where it began, then a record for each batch
//! ```
//!
//! Each generation writes a file of its own, so one that was given up harms nobody. It begins with what
//! is left of the one before: batches at its head that are done to the last row are only counted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use super::frame::{self, Found, Says};
use super::layout::{self, folder, names, replace};
use super::manifest::damaged;
use crate::error::DataflowError;

/// Tasks, their records and unreadable rows that need not be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    pub(crate) tasks: u64,
    pub(crate) records: u64,
    pub(crate) bad: u64,
}

impl Passed {
    pub(crate) fn add(&mut self, more: Passed) {
        self.tasks = self.tasks.saturating_add(more.tasks);
        self.records = self.records.saturating_add(more.records);
        self.bad = self.bad.saturating_add(more.bad);
    }

    /// Records and unreadable rows together.
    pub(crate) fn messages(self) -> u64 {
        self.records.saturating_add(self.bad)
    }
}

/// Where a generation began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// By partition, the offset of the first message that is not behind it.
    pub(crate) next: BTreeMap<i32, i64>,
    /// By partition, the offset before which the run ends; without it, it does not.
    pub(crate) ends: Option<BTreeMap<i32, i64>>,
    /// What is behind it.
    pub(crate) passed: Passed,
}

/// Messages of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) partition: i32,
    /// Offset of the first one.
    pub(crate) first: i64,
    /// Offset behind the last one.
    pub(crate) next: i64,
    /// How many there are between; offsets may be missing.
    pub(crate) messages: u64,
}

/// A batch: messages by partition and offset, and what they make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) ranges: Vec<Range>,
    pub(crate) makes: Passed,
}

/// All that was noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) head: Head,
    pub(crate) batches: Vec<Batch>,
}

impl Noted {
    /// By partition, the offset behind all that was read.
    pub(crate) fn next(&self) -> BTreeMap<i32, i64> {
        let mut next = self.head.next.clone();
        for range in self.batches.iter().flat_map(|batch| &batch.ranges) {
            next.insert(range.partition, range.next);
        }
        next
    }

    /// By partition, the offset before which everything is done: a batch counts as a whole.
    pub(crate) fn settled(mut self, done: &RoaringTreemap, buried: u64) -> BTreeMap<i32, i64> {
        self.shorten(done, buried);
        let mut settled = self.next();
        for range in self.batches.iter().rev().flat_map(|batch| &batch.ranges) {
            settled.insert(range.partition, range.first);
        }
        settled
    }

    /// Take what is done to the last row from the front.
    pub(crate) fn shorten(&mut self, done: &RoaringTreemap, buried: u64) {
        let head = &mut self.head;
        let gone = self.batches.iter().take_while(|batch| {
            let whole = is_done(batch.makes, head.passed, done, buried);
            if whole {
                head.passed.add(batch.makes);
                head.next.extend(batch.ranges.iter().map(|range| (range.partition, range.next)));
            }
            whole
        });
        let gone = gone.count();
        self.batches.drain(..gone);
    }
}

/// Whether nothing is left to do of what comes behind `before`.
pub(crate) fn is_done(makes: Passed, before: Passed, done: &RoaringTreemap, buried: u64) -> bool {
    before.bad.saturating_add(makes.bad) <= buried
        && (before.tasks..before.tasks.saturating_add(makes.tasks)).all(|task| done.contains(task))
}

/// The file of this generation.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// Batches in it.
    count: usize,
}

const NAME: &str = "offsets.";

impl Ledger {
    /// Begin the file of a generation with what is noted; those before it go.
    pub(crate) fn begin(out: &Path, generation: u32, noted: &Noted) -> Result<Self, DataflowError> {
        let path = folder(out).join(format!("{NAME}{generation:06}"));
        let bytes = bytes_of(noted);
        replace(&path, &bytes)?;
        let failed = |reason| DataflowError::File { action: "open", path: path.clone(), reason };
        let file = File::options().append(true).open(&path).map_err(failed)?;
        for (_, earlier) in files(out)?.into_iter().filter(|(number, _)| *number < generation) {
            let failed =
                |reason| DataflowError::File { action: "remove", path: earlier.clone(), reason };
            fs::remove_file(&earlier).map_err(failed)?;
        }
        Ok(Ledger { path, file, count: noted.batches.len() })
    }

    /// Note a batch, durably.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<(), DataflowError> {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, Says::Step, &json(&(self.count, batch)));
        self.count += 1;
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        written.map_err(|reason| DataflowError::File {
            action: "write",
            path: self.path.clone(),
            reason,
        })
    }
}

/// What the run in `out` has noted, if it has begun to read.
pub(crate) fn read(out: &Path) -> Result<Option<Noted>, DataflowError> {
    let Some((_, path)) = files(out)?.pop() else { return Ok(None) };
    let failed = |reason| DataflowError::File { action: "read", path: path.clone(), reason };
    parse(&fs::read(&path).map_err(failed)?).map(Some).map_err(|message| damaged(&path, message))
}

/// The bytes of a file.
pub(super) fn bytes_of(noted: &Noted) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, Says::All, &json(&noted.head));
    for numbered in noted.batches.iter().enumerate() {
        frame::append(&mut bytes, Says::Step, &json(&numbered));
    }
    bytes
}

/// What the bytes of a file say.
pub(super) fn parse(bytes: &[u8]) -> Result<Noted, String> {
    let Found::Record(head, mut at) = frame::find(bytes, Says::All, 0) else {
        return Err("its beginning cannot be read".into());
    };
    let mut noted = Noted { head: read_json(head, 0)?, batches: Vec::new() };
    loop {
        match frame::find(bytes, Says::Step, at) {
            Found::End => return Ok(noted),
            Found::Damage => return Err(format!("the record at byte {at} cannot be read")),
            Found::Record(record, next) => {
                let (number, batch): (usize, Batch) = read_json(record, at)?;
                if number != noted.batches.len() {
                    return Err(format!("the record at byte {at} does not follow the one before"));
                }
                noted.batches.push(batch);
                at = next;
            }
        }
    }
}

/// The files of all generations, the earliest first.
fn files(out: &Path) -> Result<Vec<(u32, PathBuf)>, DataflowError> {
    let folder = layout::folder(out);
    let number = |name: &String| name.strip_prefix(NAME).and_then(|number| number.parse().ok());
    let names = names(&folder)?;
    let mut files: Vec<(u32, PathBuf)> =
        names.iter().filter_map(|name| Some((number(name)?, folder.join(name)))).collect();
    files.sort();
    Ok(files)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("numbers and their maps are JSON")
}

fn read_json<'a, T: Deserialize<'a>>(record: &'a [u8], at: usize) -> Result<T, String> {
    serde_json::from_slice(record).map_err(|error| format!("the record at byte {at}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: i64, next: i64, makes: (u64, u64, u64)) -> Batch {
        let messages = (next - first) as u64;
        let (tasks, records, bad) = makes;
        Batch {
            ranges: vec![Range { partition: 1, first, next, messages }],
            makes: Passed { tasks, records, bad },
        }
    }

    fn noted() -> Noted {
        let head = Head { next: [(0, 7), (1, 10)].into(), ..Head::default() };
        let batches =
            vec![batch(10, 13, (3, 3, 0)), batch(13, 15, (1, 1, 1)), batch(15, 16, (1, 1, 0))];
        Noted { head, batches }
    }

    #[test]
    fn a_generation_goes_on_from_what_the_one_before_noted() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        super::super::begin(out).unwrap();
        assert_eq!(read(out).unwrap(), None);
        let whole = noted();
        let first = Noted { head: whole.head.clone(), batches: Vec::new() };
        let mut ledger = Ledger::begin(out, 1, &first).unwrap();
        whole.batches.iter().for_each(|batch| ledger.append(batch).unwrap());
        assert_eq!(read(out).unwrap(), Some(whole.clone()));

        let mut rest = whole;
        rest.shorten(&[0, 1, 2, 4].into_iter().collect(), 0);
        assert_eq!(rest.head.next, [(0, 7), (1, 13)].into());
        assert_eq!(rest.head.passed, Passed { tasks: 3, records: 3, bad: 0 });
        assert_eq!(rest.batches.len(), 2, "a done one behind one that is not stays");
        Ledger::begin(out, 2, &rest).unwrap();
        // One that was given up writes to its own file, which is gone.
        ledger.append(&batch(16, 17, (1, 1, 0))).unwrap();
        assert_eq!(read(out).unwrap(), Some(rest));
        assert_eq!(files(out).unwrap().len(), 1);
    }

    #[test]
    fn what_is_settled_ends_before_the_first_batch_that_is_not_done() {
        let settled =
            |done: &[u64], buried| noted().settled(&done.iter().copied().collect(), buried)[&1];
        assert_eq!(settled(&[], 0), 10);
        assert_eq!(settled(&[0, 2], 9), 10);
        assert_eq!(settled(&[0, 1, 2], 9), 13);
        assert_eq!(settled(&[0, 1, 2, 3, 4], 0), 13, "its unreadable row is not buried yet");
        assert_eq!(settled(&[0, 1, 2, 3, 4], 1), 16);
        assert_eq!(settled(&[0, 1, 2, 3], 1), 15);
        assert_eq!(noted().settled(&RoaringTreemap::new(), 0)[&0], 7);
    }

    #[test]
    fn a_torn_end_is_the_end_and_damage_within_is_an_error() {
        let bytes = bytes_of(&noted());
        let head = bytes_of(&Noted { batches: Vec::new(), ..noted() }).len();
        for cut in 0..bytes.len() {
            match parse(&bytes[..cut]) {
                Ok(read) => assert!(cut >= head && noted().batches.starts_with(&read.batches)),
                Err(_) => assert!(cut < head),
            }
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 0x10;
            if let Ok(read) = parse(&bent) {
                assert!(noted().batches.starts_with(&read.batches), "byte {at}");
                assert_eq!(read.head, noted().head);
            }
        }
    }
}
