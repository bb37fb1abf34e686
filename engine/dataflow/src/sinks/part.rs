//! Part files: what one worker wrote for one file of the run.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::commit::{Commit, Content, Extent, Grown, Growth, Tracked};
use crate::error::DataflowError;
use crate::sinks::packed::{Packed, is_packed};

/// Name of the folder of the part files.
pub const PARTS: &str = "parts";

/// Folder of the part files within a run's output folder.
pub fn parts_folder(out: &Path) -> PathBuf {
    out.join(PARTS)
}

/// A part file that grows. The bytes are kept here until the thread that commits takes them: a write
/// to a file may have to wait for the disk, even if it is not brought there.
pub(crate) struct Part {
    name: String,
    content: Content,
    file: File,
    grown: Grown,
    /// Not taken yet.
    fresh: Vec<u8>,
}

impl Part {
    /// Create a part file of this name within the run's folder; it must not be there yet.
    pub(crate) fn create(
        out: &Path,
        name: String,
        content: Content,
    ) -> Result<Self, DataflowError> {
        let path = out.join(&name);
        let failed = |reason| DataflowError::File { action: "create", path: path.clone(), reason };
        let file = File::options().append(true).create_new(true).open(&path).map_err(failed)?;
        Ok(Part { name, content, file, grown: Grown::default(), fresh: Vec::new() })
    }

    /// Append whole rows.
    pub(crate) fn write(&mut self, bytes: &[u8], rows: u64) {
        self.grown.add(bytes, rows);
        self.fresh.extend_from_slice(bytes);
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.grown.rows()
    }

    /// How far it has grown, and by what, if it has since this was last asked.
    pub(crate) fn growth(&mut self) -> Option<Growth<'_>> {
        let extent = self.grown.extent(self.content);
        (!self.fresh.is_empty()).then_some(Growth { extent, bytes: &mut self.fresh })
    }

    /// For the thread that brings it to the disk.
    pub(crate) fn tracked(&self) -> Result<Tracked, DataflowError> {
        let file = self.file.try_clone();
        let name = self.name.clone();
        let file = file.map_err(|reason| DataflowError::File {
            action: "open",
            path: name.clone().into(),
            reason,
        })?;
        Ok(Tracked { name, file, outbox: None })
    }

    /// Write what is fresh, as the thread does.
    #[cfg(test)]
    pub(crate) fn write_out(&mut self) -> Option<Extent> {
        let Growth { extent, bytes } = self.growth()?;
        let bytes = std::mem::take(bytes);
        self.file.write_all(&bytes).unwrap();
        Some(extent)
    }
}

/// What joining found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinReport {
    /// Parts that were joined.
    pub parts: usize,
    /// Rows in all of them.
    pub rows: u64,
}

/// A part of a file, as far as it was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartOf {
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    pub(crate) rows: u64,
}

fn parts_of(out: &Path, name: &str, commit: &Commit) -> (Vec<PartOf>, JoinReport) {
    let prefix = format!("{PARTS}/{}.", name.replace('/', "%2F"));
    let is_part = |(name, extent): &(&String, &Extent)| {
        let number = name.strip_prefix(&prefix);
        number.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
            && extent.length > 0
    };
    let part = |(name, extent): (&String, &Extent)| PartOf {
        path: out.join(name),
        length: extent.length,
        rows: extent.rows,
    };
    let parts: Vec<PartOf> = commit.files.iter().filter(is_part).map(part).collect();
    let rows = parts.iter().map(|part| part.rows).sum();
    let report = JoinReport { parts: parts.len(), rows };
    (parts, report)
}

/// Give the final name to a file that `write` makes of the parts of `name`, when it is complete. It
/// is made even when there is no part.
pub(super) fn replace(
    out: &Path,
    name: &str,
    commit: &Commit,
    write: impl FnOnce(&Path, &[PartOf]) -> Result<(), DataflowError>,
) -> Result<JoinReport, DataflowError> {
    let (parts, report) = parts_of(out, name, commit);
    let target = out.join(name);
    let beside = out.join(format!("{name}.tmp"));
    let failed = |reason| DataflowError::File { action: "write", path: target.clone(), reason };
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    // An earlier attempt may have left a second name of a part, which must not be written to.
    match fs::remove_file(&beside) {
        Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => return Err(failed(reason)),
        _ => {}
    }
    write(&beside, &parts)?;
    fs::rename(&beside, &target).map_err(failed)?;
    Ok(report)
}

/// Join what was committed of the parts of `name` behind `header` under the final name: written
/// beside it, renamed when complete. The file is made even when there is no part. The parts stay, so
/// this can be broken off and made again. `finished`: nothing will be added to them, so a single part
/// without a header may be the file, too. A name that ends in `.gz` or `.zst` is packed.
pub fn join_parts(
    out: &Path,
    name: &str,
    header: &[u8],
    commit: &Commit,
    finished: bool,
) -> Result<JoinReport, DataflowError> {
    let target = out.join(name);
    let failed = |reason| DataflowError::File { action: "write", path: target.clone(), reason };
    replace(out, name, commit, |beside, parts| {
        if let [part] = parts
            && finished
            && header.is_empty()
            && !is_packed(name)
        {
            let whole = fs::metadata(&part.path).is_ok_and(|there| there.len() == part.length);
            // Not every file system has second names.
            if whole && fs::hard_link(&part.path, beside).is_ok() {
                return Ok(());
            }
        }
        let file = File::create(beside).map_err(failed)?;
        let mut joined = Packed::new(name, file).map_err(failed)?;
        joined.write_all(header).map_err(failed)?;
        for part in parts {
            append(&part.path, part.length, &mut joined, &failed)?;
        }
        joined.finish().map_err(failed)
    })
}

/// Append the first `length` bytes of a part; `unwritten` words a failure to write.
fn append(
    part: &Path,
    length: u64,
    joined: &mut impl Write,
    unwritten: &dyn Fn(std::io::Error) -> DataflowError,
) -> Result<(), DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: part.to_owned(), reason };
    let mut committed = File::open(part).map_err(failed)?.take(length);
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        match committed.read(&mut buffer) {
            Ok(0) if copied == length => return Ok(()),
            Ok(0) => break,
            Ok(read) => {
                joined.write_all(&buffer[..read]).map_err(unwritten)?;
                copied += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let message = format!("{copied} bytes are left of {length} that were committed");
    Err(DataflowError::Damaged { path: part.to_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{begin, part_name};

    #[test]
    fn parts_are_joined_as_far_as_they_were_committed_and_again() {
        let out = tempfile::tempdir().unwrap();
        let out = out.path();
        begin(out).unwrap();
        let mut commit = Commit::default();
        for (peer, text) in [(0, "a\nb\n"), (11, "c\n")] {
            let name = part_name("x.csv", 1, peer);
            let mut part = Part::create(out, name.clone(), Content::Rows).unwrap();
            part.write(text.as_bytes(), text.len() as u64 / 2);
            commit.files.insert(name, part.write_out().unwrap());
            assert!(part.growth().is_none());
            part.write(b"half", 0);
            part.write_out();
        }
        let other = part_name("x.csv.other", 1, 0);
        Part::create(out, other, Content::Rows).unwrap();
        for _ in 0..2 {
            let report = join_parts(out, "x.csv", b"head\n", &commit, true).unwrap();
            assert_eq!(report, JoinReport { parts: 2, rows: 3 });
            assert_eq!(fs::read_to_string(out.join("x.csv")).unwrap(), "head\na\nb\nc\n");
        }
        assert_eq!(join_parts(out, "empty.csv", b"h\n", &commit, true).unwrap().parts, 0);
        // One part alone is longer than it was committed.
        commit.files.retain(|name, _| name.ends_with("0011"));
        join_parts(out, "x.csv", b"", &commit, true).unwrap();
        assert_eq!(fs::read_to_string(out.join("x.csv")).unwrap(), "c\n");
    }
}
