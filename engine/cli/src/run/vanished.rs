//! An output folder that is removed or moved while the run goes on. Its files stay open and take
//! what is written to them, so nobody would notice before the end, when nothing could be put
//! together; and what is then written would stand where the next run is to go.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use sage_dataflow::commit;

use super::report::SETUP;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// Looks in a row: a file system of the network may say for a moment that something is not there.
const LOOKS: u32 = 2;

/// Looks for the folder now and then.
pub(super) struct Vanishing<'f> {
    out: &'f Path,
    looked: Instant,
    missed: u32,
}

impl<'f> Vanishing<'f> {
    pub(super) fn new(out: &'f Path) -> Self {
        Vanishing { out, looked: Instant::now(), missed: 0 }
    }

    /// Whether it is gone, as far as that was looked for lately.
    pub(super) fn is_over(&mut self) -> bool {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.missed = if is_gone(self.out) { self.missed + 1 } else { 0 };
        }
        self.missed >= LOOKS
    }
}

/// Whether a run's folder is not there any more, nor what it holds from its first moment on.
pub(super) fn is_gone(out: &Path) -> bool {
    let missing = |path: &Path| {
        let found = path.symlink_metadata();
        found.is_err_and(|error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        })
    };
    missing(&out.join(SETUP)) && missing(&commit::folder(out))
}

/// An error if it is gone, whatever ended the run: what follows would write there.
pub(super) fn check(out: &Path) -> anyhow::Result<()> {
    if is_gone(out) { Err(anyhow::anyhow!(sentence(out))) } else { Ok(()) }
}

/// What is said of it.
pub(super) fn sentence(out: &Path) -> String {
    format!(
        "the output folder `{}` was removed or moved while the run was going, so the run ended: what \
         it did could not be kept there any more\nif it was moved, the same command with --out \
         NEW_PLACE goes on from what was committed; if it was removed, the same command does all \
         tasks again, and pays for their answers again",
        out.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_gone_when_nothing_of_the_run_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        assert!(is_gone(&out));
        std::fs::create_dir_all(commit::folder(&out)).unwrap();
        assert!(!is_gone(&out));
        std::fs::write(out.join(SETUP), "{}").unwrap();
        std::fs::remove_dir(commit::folder(&out)).unwrap();
        assert!(!is_gone(&out));
        std::fs::remove_file(out.join(SETUP)).unwrap();
        assert!(is_gone(&out));
        std::fs::remove_dir(&out).unwrap();
        std::fs::write(&out, "").unwrap();
        assert!(is_gone(&out), "a file of that name is not the run's");
    }
}
