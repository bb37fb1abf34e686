//! Whether a worker on another host sees the run's folder: checked by a file with a random text,
//! before the worker begins. Without it the rows of that worker would go to a folder of its own, and
//! the run would end well and be wrong.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::launch::hostname;

/// Name of the file.
const MARK: &str = ".shared";

/// Network file systems may say for a moment that a new file is not there, or is as it was.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What a worker looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedFolder {
    /// The run's folder.
    folder: PathBuf,
    text: String,
}

/// Removes the file.
pub(crate) struct Mark(PathBuf);

impl SharedFolder {
    /// Put the file into the run's folder, whose path is absolute.
    pub(crate) fn mark(folder: &Path) -> anyhow::Result<(Self, Mark)> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| anyhow::anyhow!("the system's random source failed: {error}"))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(MARK);
        fs::write(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok((SharedFolder { folder: folder.to_owned(), text }, Mark(path)))
    }

    /// Look for it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let why = match fs::read_to_string(self.folder.join(MARK)) {
                Ok(text) if text == self.text => return Ok(()),
                Ok(_) => "the folder of that name there is another one".to_owned(),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    "what the supervisor wrote is not there".to_owned()
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                anyhow::bail!(
                    "host {} does not share the run's folder {}: {why}; all hosts must see it at \
                     this path, so give --out a folder on a file system that they share (NFS, \
                     Lustre, a ReadWriteMany volume)",
                    hostname(),
                    self.folder.display(),
                );
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // A file too many harms nobody.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_folder_will_do() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (shared, mark) = SharedFolder::mark(ours.path()).unwrap();
        shared.check().unwrap();
        let (_, _other_mark) = SharedFolder::mark(other.path()).unwrap();
        let elsewhere = SharedFolder { folder: other.path().to_owned(), ..shared.clone() };
        let error = elsewhere.check().unwrap_err().to_string();
        assert!(error.contains("is another one") && error.contains("--out"), "{error}");
        drop(mark);
        assert!(!ours.path().join(MARK).exists());
        let error = shared.check().unwrap_err().to_string();
        assert!(error.contains("is not there"), "{error}");
    }
}
