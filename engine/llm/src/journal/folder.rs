//! The folder of a journal: its names, its modes, its locks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::{JournalError, Kind};

/// The file that marks a folder as a journal and says who uses it.
const LOCK: &str = "journal.lock";
const PREFIX: &str = "answers-";
const SUFFIX: &str = ".seg";

fn words(kind: Kind) -> String {
    format!("sage-flow answer journal 1 {}\n", kind.name())
}

/// Whether a folder is marked as an answer journal, of whatever kind.
pub fn is_journal(folder: &Path) -> bool {
    folder.join(LOCK).is_file()
}

/// The segment of this number.
pub(super) fn segment(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{PREFIX}{number:06}{SUFFIX}"))
}

/// The numbers of all segments, the oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let digits = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
        // A number has one name only.
        if let Some(Ok(number)) = digits.map(str::parse)
            && path == segment(folder, number)
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A file for its owner only.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// A file whose lock this process holds until it is dropped.
///
/// The lock is released by name and not by closing the file: a process that was forked and has
/// not yet begun its own program shares the file, and would hold the lock on.
#[derive(Debug)]
pub(super) struct Held(File);

impl Held {
    /// Lock the file; nothing when another process holds its lock.
    pub(super) fn take(file: File, exclusive: bool) -> io::Result<Option<Held>> {
        let operation = if exclusive {
            FlockOperation::NonBlockingLockExclusive
        } else {
            FlockOperation::NonBlockingLockShared
        };
        match rustix::fs::flock(&file, operation) {
            Ok(()) => Ok(Some(Held(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// Make what was created or removed in the folder durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Make the folder where there is none, and take the journal's lock; it lasts as long as what this gives.
pub(super) fn enter(folder: &Path, kind: Kind) -> Result<Held, JournalError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| JournalError::io(what, &path, &error)
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("create the folder", folder))?;
    let path = folder.join(LOCK);
    let file = private().create(true).truncate(false).open(&path).map_err(failed("open", &path))?;
    let held = Held::take(file, kind == Kind::Run).map_err(failed("lock", &path))?;
    let held = held.ok_or_else(|| JournalError::InUse { path: folder.to_owned() })?;
    let mut file = held.file();
    let mut text = String::new();
    file.take(256).read_to_string(&mut text).map_err(failed("read", &path))?;
    if text.is_empty() {
        // Processes that come at the same time write the same words to the same place.
        file.write_all(words(kind).as_bytes()).map_err(failed("write", &path))?;
        file.sync_all().map_err(failed("sync", &path))?;
        sync(folder).map_err(failed("sync", folder))?;
    } else if text != words(kind) {
        return Err(JournalError::NotAJournal { path: folder.to_owned() });
    }
    Ok(held)
}

/// The lock file of a journal that exists, opened for reading, and the kind it names.
pub(super) fn find(folder: &Path) -> Result<(File, Kind), JournalError> {
    let none = || JournalError::NotAJournal { path: folder.to_owned() };
    let path = folder.join(LOCK);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
        Err(error) => return Err(JournalError::io("open", &path, &error)),
    };
    let mut text = String::new();
    (&file)
        .take(256)
        .read_to_string(&mut text)
        .map_err(|error| JournalError::io("read", &path, &error))?;
    let kind = [Kind::Run, Kind::Content].into_iter().find(|kind| text == words(*kind));
    kind.map(|kind| (file, kind)).ok_or_else(none)
}
