//! Vectors that models in the process have made (`local:`), kept for later runs in the user's cache:
//! a file for each model. They can always be made again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use sage_llm::journal::default_folder;

/// How the names of the files end.
const ENDING: &str = "vectors";

/// What is kept, or was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KeptVectors {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl KeptVectors {
    fn add(&mut self, bytes: u64) {
        (self.files, self.bytes) = (self.files + 1, self.bytes + bytes);
    }
}

/// The folder of the user, if there is a place for it.
pub(crate) fn folder() -> Option<PathBuf> {
    default_folder().map(|cache| cache.join(ENDING))
}

/// What is in a folder.
pub(crate) fn survey(folder: &Path) -> KeptVectors {
    let mut kept = KeptVectors::default();
    files(folder).iter().for_each(|(_, bytes, _)| kept.add(*bytes));
    kept
}

/// Remove the files that nobody has added to for so long, or all. A run that uses one keeps what it
/// has read.
pub(crate) fn clear(folder: &Path, older_than: Option<Duration>) -> io::Result<KeptVectors> {
    let mut removed = KeptVectors::default();
    for (path, bytes, changed) in files(folder) {
        let age = changed.elapsed().unwrap_or_default();
        if older_than.is_some_and(|least| age < least) {
            continue;
        }
        match fs::remove_file(&path) {
            Ok(()) => removed.add(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn files(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = entries.filter_map(|entry| {
        let (path, data) = (entry.path(), entry.metadata().ok()?);
        let known = data.is_file() && path.extension().is_some_and(|ending| ending == ENDING);
        let changed = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        known.then_some((path, data.len(), changed))
    });
    file.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_vectors_are_counted_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["a.vectors", "b.vectors", "c.txt"] {
            fs::write(path(name), "1234").expect("written");
        }
        assert_eq!(survey(folder.path()), KeptVectors { files: 2, bytes: 8 });
        let old = Duration::from_secs(3600);
        assert_eq!(clear(folder.path(), Some(old)).expect("done"), KeptVectors::default());
        assert_eq!(clear(folder.path(), None).expect("done"), KeptVectors { files: 2, bytes: 8 });
        assert_eq!(survey(folder.path()), KeptVectors::default());
        assert!(path("c.txt").exists());
        assert_eq!(survey(&path("no")), KeptVectors::default());
    }
}
