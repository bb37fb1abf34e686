//! Files that a command names, or finds in a folder that it names, opened only if they are files: to open
//! a pipe is to wait for who writes to it, and a device may have no end.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

/// Most bytes of what describes a run: its plan, its setup, its figures, the hosts it has.
pub(crate) const DESCRIPTION: u64 = 256 << 20;
/// Most bytes of a table that is read as a whole.
pub(crate) const TABLE: u64 = 4 << 30;

/// Open a file that has an end.
pub(crate) fn open(path: &Path) -> Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::other("it is a folder, a pipe or a device, not a file"));
    }
    File::open(path)
}

/// All bytes of a file, `most` of them or an error.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::other(format!("it has more than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

/// As [`read`], for a text.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| Error::other("it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_read_and_no_more_of_them_than_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert!(read(&path, 3).unwrap_err().to_string().contains("more than"));
        for other in [folder.path(), Path::new("/dev/zero")] {
            assert!(open(other).unwrap_err().to_string().contains("not a file"));
        }
        assert_eq!(
            open(&folder.path().join("none")).unwrap_err().kind(),
            std::io::ErrorKind::NotFound
        );
    }
}
