//! Part files: what one worker wrote for one file of the run.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::DataflowError;

/// Name of the folder of the part files.
pub const PARTS: &str = "parts";

/// Folder of the part files within a run's output folder.
pub fn parts_folder(out: &Path) -> PathBuf {
    out.join(PARTS)
}

/// A part file being written.
pub(crate) struct Part {
    path: PathBuf,
    file: BufWriter<File>,
    rows: u64,
}

impl Part {
    /// Create the part of `name` for one worker thread.
    pub(crate) fn create(out: &Path, name: &str, peer: usize) -> Result<Self, DataflowError> {
        let path = parts_folder(out).join(format!("{}.{peer:04}", name.replace('/', "%2F")));
        let failed = |reason| DataflowError::File { action: "create", path: path.clone(), reason };
        fs::create_dir_all(parts_folder(out)).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        Ok(Part { path, file: BufWriter::with_capacity(1 << 16, file), rows: 0 })
    }

    /// Append whole rows.
    pub(crate) fn write(&mut self, bytes: &[u8], rows: u64) -> Result<(), DataflowError> {
        self.rows += rows;
        self.file.write_all(bytes).map_err(|reason| self.failed(reason))
    }

    /// Hand everything to the system.
    pub(crate) fn flush(&mut self) -> Result<(), DataflowError> {
        self.file.flush().map_err(|reason| self.failed(reason))
    }

    fn failed(&self, reason: std::io::Error) -> DataflowError {
        DataflowError::File { action: "write", path: self.path.clone(), reason }
    }
}

/// What joining found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinReport {
    /// Parts that were joined.
    pub parts: usize,
    /// Lines in all of them, the header not counted; not counted when nothing had to be copied.
    pub lines: Option<u64>,
}

/// Join the parts of `name` behind `header` under the final name: written beside it, renamed when
/// complete. The file is made even when there is no part. A last line without its end (a killed
/// worker) is left out. Used parts are removed. `whole`: all workers ended well, so a single part
/// without a header is the file already.
pub fn join_parts(
    out: &Path,
    name: &str,
    header: &[u8],
    whole: bool,
) -> Result<JoinReport, DataflowError> {
    let folder = parts_folder(out);
    let prefix = format!("{}.", name.replace('/', "%2F"));
    let mut parts: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| is_part(path, &prefix))
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(reason) => return Err(DataflowError::File { action: "read", path: folder, reason }),
    };
    parts.sort();

    let target = out.join(name);
    let beside = out.join(format!("{name}.tmp"));
    let failed = |reason| DataflowError::File { action: "write", path: target.clone(), reason };
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    if let ([part], true, true) = (parts.as_slice(), whole, header.is_empty()) {
        fs::rename(part, &target).map_err(failed)?;
        return Ok(JoinReport { parts: 1, lines: None });
    }
    let mut report = JoinReport { parts: parts.len(), lines: Some(0) };
    let mut joined = BufWriter::with_capacity(1 << 16, File::create(&beside).map_err(failed)?);
    joined.write_all(header).map_err(failed)?;
    for part in &parts {
        let lines = append_whole_lines(part, &mut joined)?;
        report.lines = report.lines.map(|sum| sum + lines);
    }
    joined.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    fs::rename(&beside, &target).map_err(failed)?;
    for part in parts {
        // A part that stays is only untidy.
        let _ = fs::remove_file(part);
    }
    Ok(report)
}

fn is_part(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    name.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn append_whole_lines(part: &Path, joined: &mut impl Write) -> Result<u64, DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: part.to_owned(), reason };
    let mut file = File::open(part).map_err(failed)?;
    let mut buffer = vec![0; 1 << 16];
    let mut pending: Vec<u8> = Vec::new();
    let mut lines = 0;
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(lines);
        }
        match buffer[..read].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => {
                joined.write_all(&pending).map_err(failed)?;
                joined.write_all(&buffer[..=end]).map_err(failed)?;
                lines += pending.iter().filter(|byte| **byte == b'\n').count() as u64
                    + buffer[..=end].iter().filter(|byte| **byte == b'\n').count() as u64;
                pending.clear();
                pending.extend_from_slice(&buffer[end + 1..read]);
            }
            None => pending.extend_from_slice(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_without_half_lines() {
        let out = tempfile::tempdir().unwrap();
        for (peer, text) in [(0, "a\nb\n"), (11, "c\nhalf")] {
            let mut part = Part::create(out.path(), "x.csv", peer).unwrap();
            part.write(text.as_bytes(), 2).unwrap();
            part.flush().unwrap();
        }
        Part::create(out.path(), "x.csv.other", 0).unwrap().flush().unwrap();
        let report = join_parts(out.path(), "x.csv", b"head\n", false).unwrap();
        assert_eq!(report, JoinReport { parts: 2, lines: Some(3) });
        assert_eq!(fs::read_to_string(out.path().join("x.csv")).unwrap(), "head\na\nb\nc\n");
        assert_eq!(join_parts(out.path(), "empty.csv", b"h\n", true).unwrap().parts, 0);
    }
}
