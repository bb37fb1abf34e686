//! A place for what opens a run: beside the records of jobs, in a folder for the user alone.
//!
//! A run removes its file at its end, and holds a lock on it until then. A file without a lock is of
//! a run that was killed, whatever became of the record of its job.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, flock};

use super::place;
use crate::exit::usage;

/// Name of the folder.
const FOLDER: &str = "credentials";

/// A path for a file that does not exist yet, in a folder that is the user's alone.
pub(crate) fn credentials_file() -> anyhow::Result<PathBuf> {
    let folder = place::folder()?.with_file_name(FOLDER);
    let ready = || {
        place::make(&folder)?;
        Ok(rustix::fs::access(&folder, Access::WRITE_OK | Access::EXEC_OK)?)
    };
    ready().map_err(|error: std::io::Error| {
        usage(format!(
            "--launcher join writes what workers need into `{}`: {error}; {}",
            folder.display(),
            place::ELSEWHERE
        ))
    })?;
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(folder.join(name))
}

/// Files of runs that are gone without having removed them.
pub(crate) fn left_behind() -> Vec<PathBuf> {
    let Ok(folder) = place::folder().map(|folder| folder.with_file_name(FOLDER)) else {
        return Vec::new();
    };
    if place::check(&folder).is_err() {
        return Vec::new();
    }
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| is_named(path));
    files.filter(|path| is_free(path).unwrap_or(false)).collect()
}

/// Whether this program gave the file its name.
fn is_named(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_free(path: &Path) -> std::io::Result<bool> {
    let file = File::open(path)?;
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_left_behind_when_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0123456789abcdef");
        let file = File::create(&path).unwrap();
        assert!(is_named(&path) && is_free(&path).unwrap());
        flock(&file, FlockOperation::LockExclusive).unwrap();
        assert!(!is_free(&path).unwrap());
        drop(file);
        assert!(is_free(&path).unwrap());
        assert!(!is_named(&folder.path().join("0123456789abcdeg")));
    }
}
