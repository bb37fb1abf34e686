//! A checksum of text, files and folders: FNV-1a with 64 bits. It tells what was changed from what
//! was not, and no more.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sage_core::text::{fnv1a, fnv1a_more};

/// Folders nested deeper than this hold no documents.
const MAX_DEPTH: usize = 32;

/// Checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    let mut sum = Sum::default();
    sum.add(bytes);
    sum.shown()
}

/// Size and checksum of a file, or of all files of a folder with their names. One that cannot be
/// read has its reason in their place: it is another input than one that can.
pub(crate) fn of_path(path: &Path) -> String {
    let mut sum = Sum::default();
    let mut files = 0;
    match add(&mut sum, &mut files, path, MAX_DEPTH) {
        Err(error) => format!("cannot be read: {error}"),
        Ok(()) if path.is_dir() => format!("{files} files, {} bytes, {}", sum.bytes, sum.shown()),
        Ok(()) => format!("{} bytes, {}", sum.bytes, sum.shown()),
    }
}

/// As documents are found: in order of their names, without hidden entries and linked folders.
fn add(sum: &mut Sum, files: &mut u64, path: &Path, depth: usize) -> io::Result<()> {
    if !path.is_dir() {
        *files += 1;
        // A pipe waits for who writes to it, and a device may have no end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is a pipe or a device, not a file"));
        }
        return sum.read(File::open(path)?);
    }
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let linked_folder = kind.is_symlink() && entry.path().is_dir();
        let special = !kind.is_dir() && !entry.path().is_file();
        if name.as_encoded_bytes().starts_with(b".") || linked_folder || special || depth == 0 {
            continue;
        }
        sum.name(name.as_encoded_bytes());
        add(sum, files, &entry.path(), depth - 1)?;
    }
    Ok(())
}

struct Sum {
    hash: u64,
    bytes: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Sum { hash: fnv1a(&[]), bytes: 0 }
    }
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        self.name(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Bytes that are not counted.
    fn name(&mut self, bytes: &[u8]) {
        self.hash = fnv1a_more(self.hash, bytes);
    }

    fn read(&mut self, mut file: File) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                got => self.add(&buffer[..got]),
            }
        }
        // Where a file ends is a part of it: what moves from one into the next is a change.
        self.name(&self.bytes.to_le_bytes());
        Ok(())
    }

    fn shown(&self) -> String {
        format!("{:016x}", self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_folder_is_seen_and_hidden_files_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("notes")).unwrap();
        fs::write(at("notes/a.md"), "one").unwrap();
        fs::write(at("notes/b.md"), "two").unwrap();
        let mut seen = vec![of_path(folder.path())];
        assert!(seen[0].starts_with("2 files, 6 bytes, "), "{}", seen[0]);
        fs::write(at(".hidden"), "x").unwrap();
        assert_eq!(of_path(folder.path()), seen[0]);
        fs::write(at("notes/b.md"), "twO").unwrap();
        seen.push(of_path(folder.path()));
        fs::rename(at("notes/b.md"), at("notes/c.md")).unwrap();
        seen.push(of_path(folder.path()));
        fs::write(at("notes/a.md"), "onet").unwrap();
        fs::write(at("notes/c.md"), "wO").unwrap();
        seen.push(of_path(folder.path()));
        seen.push(of_path(&at("notes/a.md")));
        seen.push(of_path(&at("notes/none")));
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{seen:?}");
        assert!(seen.iter().any(|one| one.starts_with("cannot be read: ")));
    }
}
