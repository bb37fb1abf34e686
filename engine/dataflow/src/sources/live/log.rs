//! What a source that is looked at again has given, on the disk: a file has no past that could be
//! read once more, and a run that goes on must meet the same records under the same numbers.
//!
//! Records reach the disk here before the dataflow sees them. Each generation writes a log of its
//! own, which begins with all of the one before: so a process that was given up may go on writing
//! and harm nobody. A log is there under its name when that is complete.
//!
//! ```text
//! commit/changes.000003        length, checksum, batches; what was written at once is one entry
//! ```

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sage_core::record::{Datum, Items, Rows, pack, pack_list, pack_record};

use super::super::{BadRow, Batch};
use crate::commit::{begin, damaged, folder};
use crate::error::DataflowError;

const PREFIX: &str = "changes.";

/// The log of this generation.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// What was given before, as far as it was not asked for.
    earlier: Entries,
    waiting: VecDeque<Batch>,
    needs: Needs,
}

/// What has been worked on, and so must be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Batches with rows.
    pub(crate) tasks: u64,
    /// Rows that are no records.
    pub(crate) bad: u64,
}

impl Log {
    /// Begin the log of a generation with that of the one before.
    pub(super) fn begin(out: &Path, generation: u32, needs: Needs) -> Result<Self, DataflowError> {
        begin(out)?;
        let folder = folder(out);
        let before = logs(&folder)?;
        let path = folder.join(format!("{PREFIX}{generation:06}"));
        let beside = folder.join(format!("{PREFIX}{generation:06}.tmp"));
        let failed = |reason| DataflowError::File { action: "write", path: path.clone(), reason };
        let mut copy = BufWriter::new(File::create(&beside).map_err(failed)?);
        if let Some(last) = before.last() {
            let mut entries = Entries::open(last)?;
            while let Some(entry) = entries.next()? {
                write_entry(&mut copy, &entry).map_err(failed)?;
            }
        }
        let file = copy.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        fs::rename(&beside, &path).map_err(failed)?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        for old in before.iter().filter(|old| **old != path) {
            // It is only not needed any more.
            let _ = fs::remove_file(old);
        }
        let earlier = Entries::open(&path)?;
        let file = File::options().append(true).open(&path).map_err(failed)?;
        Ok(Log { path, file, earlier, waiting: VecDeque::new(), needs })
    }

    /// The next batch of those that were given before this generation.
    pub(super) fn earlier(&mut self) -> Result<Option<Batch>, DataflowError> {
        loop {
            if let Some(batch) = self.waiting.pop_front() {
                let Needs { tasks, bad } = &mut self.needs;
                *tasks = tasks.saturating_sub(u64::from(!batch.rows.is_empty()));
                *bad = bad.saturating_sub(batch.bad.len() as u64);
                return Ok(Some(batch));
            }
            match self.earlier.next()? {
                Some(entry) => self.waiting = decoded(&entry),
                None if self.needs == Needs::default() => return Ok(None),
                None => {
                    let message = "it has fewer records than were worked on";
                    return Err(damaged(&self.path, message.into()));
                }
            }
        }
    }

    /// Bring batches to the disk.
    pub(super) fn append(&mut self, batches: &VecDeque<Batch>) -> Result<(), DataflowError> {
        let failed =
            |reason| DataflowError::File { action: "write", path: self.path.clone(), reason };
        let mut bytes = Vec::new();
        write_entry(&mut bytes, &encoded(batches)).map_err(failed)?;
        let mut file = &self.file;
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(failed)
    }
}

/// Complete logs in a folder, the earliest first.
fn logs(folder: &Path) -> Result<Vec<PathBuf>, DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: folder.to_owned(), reason };
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_string().unwrap_or_default();
        let number = name.strip_prefix(PREFIX).unwrap_or_default();
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

fn write_entry(out: &mut impl Write, entry: &[u8]) -> io::Result<()> {
    let length = (entry.len() as u32).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&crc32fast::hash(entry).to_le_bytes())?;
    out.write_all(entry)
}

/// Entries of a log. A last one that is not whole was never given.
#[derive(Debug)]
struct Entries {
    path: PathBuf,
    file: BufReader<File>,
    left: u64,
}

impl Entries {
    fn open(path: &Path) -> Result<Self, DataflowError> {
        let failed = |reason| DataflowError::File { action: "read", path: path.to_owned(), reason };
        let file = File::open(path).map_err(failed)?;
        let left = file.metadata().map_err(failed)?.len();
        Ok(Entries { path: path.to_owned(), file: BufReader::new(file), left })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, DataflowError> {
        const HEAD: u64 = 8;
        let path = &self.path;
        let failed = |reason| DataflowError::File { action: "read", path: path.clone(), reason };
        let mut head = [[0; 4]; 2];
        if self.left < HEAD {
            self.left = 0;
            return Ok(None);
        }
        self.file.read_exact(head.as_flattened_mut()).map_err(failed)?;
        let [length, checksum] = head.map(u32::from_le_bytes);
        self.left -= HEAD;
        if u64::from(length) > self.left {
            self.left = 0;
            return Ok(None);
        }
        let mut entry = vec![0; length as usize];
        self.file.read_exact(&mut entry).map_err(failed)?;
        self.left -= u64::from(length);
        if crc32fast::hash(&entry) == checksum {
            return Ok(Some(entry));
        }
        if self.left > 0 {
            return Err(damaged(path, "an entry is not what was written".into()));
        }
        Ok(None)
    }
}

fn encoded(batches: &VecDeque<Batch>) -> Vec<u8> {
    let mut out = Vec::new();
    for batch in batches {
        pack_record(&mut out, |out| {
            pack_list(out, |out| batch.rows.iter().for_each(|row| pack(out, Datum::Bytes(row))));
            for bad in &batch.bad {
                pack_record(out, |out| {
                    [&bad.place, &bad.text, &bad.reason]
                        .into_iter()
                        .for_each(|text| pack(out, Datum::Str(text)));
                });
            }
        });
    }
    out
}

pub(super) fn decoded(entry: &[u8]) -> VecDeque<Batch> {
    let mut batches = VecDeque::new();
    for batch in Items::new(entry) {
        let mut items = batch.items();
        let mut rows = Rows::default();
        for row in items.next().unwrap_or(Datum::Null).items() {
            if let Datum::Bytes(row) = row {
                rows.push(|out| out.extend_from_slice(row));
            }
        }
        let text = |bad: Datum<'_>, at| bad.items().get(at).as_str().unwrap_or_default().to_owned();
        let bad = items.map(|bad| BadRow {
            place: text(bad, 0),
            text: text(bad, 1),
            reason: text(bad, 2),
            key: None,
        });
        batches.push_back(Batch { bad: bad.collect(), rows, ..Batch::default() });
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Needs = Needs { tasks: 0, bad: 0 };

    fn batch(number: i64) -> Batch {
        let mut batch = Batch::default();
        for n in 0..number % 3 {
            batch.rows.push(|out| pack(out, Datum::Int(number * 10 + n)));
        }
        if number % 2 == 0 {
            batch.bad.push(BadRow::new(format!("f:{number}"), b"te\xffxt", "why"));
        }
        batch
    }

    fn batches(numbers: std::ops::Range<i64>) -> VecDeque<Batch> {
        numbers.map(batch).collect()
    }

    fn all(log: &mut Log) -> Result<Vec<(Rows, Vec<BadRow>)>, DataflowError> {
        let mut all = Vec::new();
        while let Some(batch) = log.earlier()? {
            all.push((batch.rows, batch.bad));
        }
        Ok(all)
    }

    fn wanted(numbers: std::ops::Range<i64>) -> Vec<(Rows, Vec<BadRow>)> {
        batches(numbers).into_iter().map(|batch| (batch.rows, batch.bad)).collect()
    }

    #[test]
    fn every_generation_gives_again_what_was_given_and_no_other_can_change_it() {
        let out = tempfile::tempdir().unwrap();
        let mut first = Log::begin(out.path(), 1, NONE).unwrap();
        assert_eq!(all(&mut first).unwrap(), []);
        first.append(&batches(0..3)).unwrap();
        first.append(&batches(3..4)).unwrap();
        let mut second = Log::begin(out.path(), 2, NONE).unwrap();
        // The first one was only cut off.
        first.append(&batches(90..95)).unwrap();
        assert_eq!(all(&mut second).unwrap(), wanted(0..4));
        second.append(&batches(4..9)).unwrap();
        // The third one never gave anything.
        drop(Log::begin(out.path(), 3, NONE).unwrap());
        let mut fourth = Log::begin(out.path(), 4, NONE).unwrap();
        assert_eq!(all(&mut fourth).unwrap(), wanted(0..9));
        assert_eq!(logs(&folder(out.path())).unwrap().len(), 1);
    }

    #[test]
    fn an_end_that_is_not_whole_was_never_given_and_other_damage_is_told() {
        let out = tempfile::tempdir().unwrap();
        let mut log = Log::begin(out.path(), 1, NONE).unwrap();
        log.append(&batches(0..5)).unwrap();
        let short = fs::metadata(&log.path).unwrap().len();
        log.append(&batches(5..8)).unwrap();
        let whole = fs::read(&log.path).unwrap();
        let needs = Needs { tasks: 3, bad: 3 };
        for length in short as usize..whole.len() {
            fs::write(&log.path, &whole[..length]).unwrap();
            assert_eq!(all(&mut Log::begin(out.path(), 1, NONE).unwrap()).unwrap(), wanted(0..5));
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&log.path, &damaged).unwrap();
            match Log::begin(out.path(), 1, needs).and_then(|mut log| all(&mut log)) {
                Ok(read) => assert_eq!(read, wanted(0..5), "{at}"),
                Err(error) => assert!(error.to_string().contains("changes.000001"), "{error}"),
            }
        }
    }
}
