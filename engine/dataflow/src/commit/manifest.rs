//! One worker's manifest: appended record by record, shortened when it has grown.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::entry::Commit;
use super::frame::{self, Found, Says};
use super::layout::{Place, replace, sync_folder};
use crate::error::DataflowError;

/// A manifest is shortened when it is longer than this, and than a few times what is left of it then.
const LONG: u64 = 1 << 20;

/// A manifest being written.
pub(super) struct Manifest {
    place: Place,
    log: File,
    /// All that was appended.
    whole: Commit,
    length: u64,
    /// Length of the last base.
    base: u64,
    long: u64,
}

impl Manifest {
    /// Create the manifest of one worker of a generation that has none yet.
    pub(super) fn create(place: Place) -> Result<Self, DataflowError> {
        let path = place.log();
        let log = File::options().append(true).create_new(true).open(&path);
        let log = log.map_err(|reason| DataflowError::File { action: "create", path, reason })?;
        sync_folder(&place.folder)?;
        let whole = Commit { generation: place.generation, ..Commit::default() };
        Ok(Manifest { place, log, whole, length: 0, base: 0, long: LONG })
    }

    /// Append what was committed since the last time, durably. Files are of any length that reached
    /// the disk before.
    pub(super) fn append(&mut self, mut commit: Commit) -> Result<(), DataflowError> {
        commit.generation = self.place.generation;
        commit.sequence = self.whole.sequence + 1;
        let mut bytes = Vec::new();
        frame::append(&mut bytes, Says::Step, &commit.encode());
        let path = self.place.log();
        let failed = |reason| DataflowError::File { action: "write", path: path.clone(), reason };
        self.log.write_all(&bytes).and_then(|()| self.log.sync_data()).map_err(failed)?;
        self.is_in_place(&path)?;
        self.length += bytes.len() as u64;
        self.whole.absorb(&commit).map_err(|task| twice(&path, task))?;
        if self.length > self.long.max(4 * self.base) {
            self.shorten()?;
        }
        Ok(())
    }

    /// A log that somebody has removed under the run can still be written to, and nobody would ever
    /// read it.
    fn is_in_place(&self, path: &Path) -> Result<(), DataflowError> {
        let failed =
            |reason| DataflowError::File { action: "write", path: path.to_owned(), reason };
        let (own, there) = (self.log.metadata().map_err(failed)?, fs::metadata(path));
        match there {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => Ok(()),
            _ => Err(failed(std::io::Error::new(
                ErrorKind::NotFound,
                "it was removed or replaced while the run was writing it; what it held is lost, so \
                 start the run anew with --fresh",
            ))),
        }
    }

    /// Let one record stand for all. Those it stands for count for nothing from the moment it is
    /// there, so it does not matter when they go.
    fn shorten(&mut self) -> Result<(), DataflowError> {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, Says::All, &self.whole.encode());
        replace(&self.place.base(), &bytes)?;
        let path = self.place.log();
        let failed = |reason| DataflowError::File { action: "write", path, reason };
        self.log.set_len(0).map_err(failed)?;
        self.length = 0;
        self.base = bytes.len() as u64;
        Ok(())
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn shortened_from(mut self, bytes: u64) -> Self {
        self.long = bytes;
        self
    }
}

/// What a worker committed.
pub(super) fn read(place: &Place) -> Result<Commit, DataflowError> {
    let mut whole = read_base(&place.base())?.unwrap_or_default();
    let path = place.log();
    let Some(bytes) = read_file(&path)? else { return Ok(whole) };
    let mut at = 0;
    loop {
        let record = match frame::find(&bytes, Says::Step, at) {
            Found::End => return Ok(whole),
            Found::Damage => {
                return Err(damaged(&path, format!("the record at byte {at} cannot be read")));
            }
            Found::Record(record, next) => {
                at = next;
                record
            }
        };
        let commit = Commit::decode(record)
            .ok_or_else(|| damaged(&path, format!("the record before byte {at} has no meaning")))?;
        if commit.sequence <= whole.sequence {
            // The base stands for it.
            continue;
        }
        if commit.sequence != whole.sequence + 1 || commit.generation != place.generation {
            let number = commit.sequence;
            return Err(damaged(&path, format!("record {number} does not follow the one before")));
        }
        whole.absorb(&commit).map_err(|task| twice(&path, task))?;
    }
}

/// A file that was written whole: one record and nothing else.
pub(super) fn read_base(path: &Path) -> Result<Option<Commit>, DataflowError> {
    let Some(bytes) = read_file(path)? else { return Ok(None) };
    match frame::find(&bytes, Says::All, 0) {
        Found::Record(record, end) if end == bytes.len() => Commit::decode(record),
        _ => None,
    }
    .map(Some)
    .ok_or_else(|| damaged(path, "it is not what was written".into()))
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, DataflowError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(DataflowError::File { action: "read", path: path.to_owned(), reason }),
    }
}

pub(crate) fn damaged(path: &Path, message: String) -> DataflowError {
    DataflowError::Damaged { path: PathBuf::from(path), message }
}

pub(super) fn twice(path: &Path, task: u64) -> DataflowError {
    damaged(path, format!("a task that was done before is in it once more (near task {task})"))
}
