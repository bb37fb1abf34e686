//! How far a part file was delivered, in a file of lines beside the commits.
//!
//! ```text
//! id 8c1f...9.       what names the pieces of this part, and of no other one; the first line
//! 300+512.           the piece from 300 to 512 is sent now
//! 300-512.           it was refused, so it has not come: another one may go in its place
//! 512                all up to here is delivered; the largest counts
//! ```
//!
//! A line that is cut off is the beginning of one: a number then says less than was delivered, and the
//! others lack their full stop.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sage_core::text::fnv1a;

use crate::commit::folder;
use crate::error::DataflowError;

/// See the module.
pub(super) struct Mark {
    path: PathBuf,
    file: File,
    at: u64,
    /// End of the piece that was sent from there, if it is not known what became of it.
    promised: Option<u64>,
    id: String,
}

impl Mark {
    /// Of a part file of the run in `out`; `named` if its pieces are to have names.
    pub(super) fn open(out: &Path, part: &str, named: bool) -> Result<Self, DataflowError> {
        let path = path(out, part);
        let failed = |reason| DataflowError::File { action: "open", path: path.clone(), reason };
        let file = File::options().append(true).create(true).open(&path).map_err(failed)?;
        let text = fs::read_to_string(&path).map_err(failed)?;
        // Less than was delivered is delivered again.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let at = furthest(whole);
        let stopped = || whole.lines().filter_map(|line| line.strip_suffix('.'));
        let mut promised = None;
        for line in stopped() {
            let from_here = |(from, _): &(&str, &str)| from.parse() == Ok(at);
            if let Some((_, to)) = line.split_once('+').filter(from_here) {
                promised = to.parse().ok();
            } else if line.split_once('-').is_some_and(|piece| from_here(&piece)) {
                promised = None;
            }
        }
        let id = stopped().find_map(|line| line.strip_prefix("id ")).unwrap_or_default();
        let id = id.to_owned();
        let mut mark = Mark { path, file, at, promised: promised.filter(|to| *to > at), id };
        if !text.is_empty() && !text.ends_with('\n') {
            mark.write("\n")?;
        }
        if named && mark.id.is_empty() {
            mark.id = drawn(&mark.path);
            mark.write(&format!("id {}.\n", mark.id))?;
            mark.sync()?;
        }
        Ok(mark)
    }

    /// All before is delivered.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn promised(&self) -> Option<u64> {
        self.promised
    }

    /// What the piece from here to `to` is called: the same as long as it is the same one.
    pub(super) fn name(&self, to: u64) -> String {
        format!("{}-{}-{to}", self.id, self.at)
    }

    /// The piece from here to `to` is sent next.
    pub(super) fn promise(&mut self, to: u64) -> Result<(), DataflowError> {
        self.write(&format!("{}+{to}.\n", self.at))?;
        self.sync()
    }

    /// The piece from here to `to` was refused.
    pub(super) fn withdraw(&mut self, to: u64) -> Result<(), DataflowError> {
        self.promised = None;
        self.write(&format!("{}-{to}.\n", self.at))
    }

    /// All up to `at` is delivered.
    pub(super) fn set(&mut self, at: u64) -> Result<(), DataflowError> {
        (self.at, self.promised) = (at, None);
        self.write(&format!("{at}\n"))
    }

    fn write(&mut self, text: &str) -> Result<(), DataflowError> {
        let path = self.path.clone();
        let failed = |reason| DataflowError::File { action: "write", path, reason };
        self.file.write_all(text.as_bytes()).map_err(failed)
    }

    fn sync(&self) -> Result<(), DataflowError> {
        let path = self.path.clone();
        self.file.sync_data().map_err(|reason| DataflowError::File {
            action: "write",
            path,
            reason,
        })
    }
}

fn path(out: &Path, part: &str) -> PathBuf {
    let part = part.rsplit('/').next().unwrap_or(part);
    folder(out).join(format!("sent-{part}"))
}

fn furthest(lines: &str) -> u64 {
    lines.lines().filter_map(|line| line.parse().ok()).max().unwrap_or(0)
}

/// How much of a part file of the run in `out` is delivered, in bytes.
pub(crate) fn delivered(out: &Path, part: &str) -> u64 {
    let text = fs::read_to_string(path(out, part)).unwrap_or_default();
    furthest(text.rsplit_once('\n').map_or("", |(whole, _)| whole))
}

/// A word that no other part has, of this run or another.
fn drawn(path: &Path) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = format!("{} {} {}", path.display(), now.as_nanos(), std::process::id());
    format!("{:016x}{:016x}", fnv1a(seed.as_bytes()), fnv1a(format!("{seed}.").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::begin;

    #[test]
    fn a_piece_keeps_its_name_until_it_is_delivered_wherever_the_file_ends() {
        let out = tempfile::tempdir().unwrap();
        let out = out.path();
        begin(out).unwrap();
        let open = || Mark::open(out, "parts/x.0000010000", true).unwrap();
        let mut mark = open();
        for to in [7, 30, 300] {
            mark.promise(to).unwrap();
            mark.set(to).unwrap();
        }
        mark.promise(1234).unwrap();
        let name = mark.name(1234);
        let path = mark.path.clone();
        let again = open();
        assert_eq!((again.at(), again.promised(), again.name(1234)), (300, Some(1234), name));
        let text = fs::read_to_string(&path).unwrap();
        for length in 0..text.len() {
            fs::write(&path, &text[..length]).unwrap();
            let mark = open();
            // Only what was sent whole is believed, and nothing that was not delivered is left out.
            assert!([0, 3, 7, 30, 300].contains(&mark.at()), "{length}: {}", mark.at());
            assert!([None, Some(7), Some(30), Some(300)].contains(&mark.promised()), "{length}");
            let at = mark.at();
            let again = open();
            assert!(again.at() >= at, "{length}");
        }
        // What was refused is not promised any more, until it is again.
        fs::write(&path, &text).unwrap();
        let mut mark = open();
        mark.withdraw(1234).unwrap();
        assert_eq!((open().at(), open().promised()), (300, None));
        mark.promise(600).unwrap();
        assert_eq!(open().promised(), Some(600));
        assert_eq!(delivered(out, "parts/x.0000010000"), 300);
        assert_ne!(Mark::open(out, "parts/x.0000010001", true).unwrap().name(1), open().name(1));
    }
}
