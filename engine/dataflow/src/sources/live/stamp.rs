//! Whether a file or a folder may have changed since it was looked at, without reading it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sage_core::text::{fnv1a, fnv1a_more};

/// Folders nested deeper than this are not looked into.
const MOST_DEEP: usize = 32;
/// Two changes within so short a time may have the same time in some file systems.
const COARSE_NS: i128 = 2_000_000_000;

/// Numbers, sizes and times of all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    sum: u64,
    /// The latest change, nanoseconds since 1970.
    latest_ns: i128,
}

impl Stamp {
    /// Of what is there now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut stamp = Stamp { sum: fnv1a(&[]), latest_ns: i128::MIN };
        stamp.add(path, &fs::metadata(path)?, MOST_DEEP)?;
        Ok(stamp)
    }

    /// Whether what is read at `now_ns` is what the stamp stands for. A change right behind the
    /// latest one might have the same time.
    pub(super) fn is_settled(&self, now_ns: i128) -> bool {
        self.latest_ns.saturating_add(COARSE_NS) < now_ns
    }

    fn add(&mut self, path: &Path, metadata: &Metadata, deep: usize) -> io::Result<()> {
        for number in [metadata.dev(), metadata.ino(), metadata.size()] {
            self.sum = fnv1a_more(self.sum, &number.to_le_bytes());
        }
        for (seconds, rest) in
            [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())]
        {
            let time_ns = i128::from(seconds) * 1_000_000_000 + i128::from(rest);
            self.sum = fnv1a_more(self.sum, &time_ns.to_le_bytes());
            self.latest_ns = self.latest_ns.max(time_ns);
        }
        if !metadata.is_dir() || deep == 0 {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let linked_folder = entry.file_type()?.is_symlink() && entry.path().is_dir();
            if name.as_encoded_bytes().starts_with(b".") || linked_folder {
                continue;
            }
            self.sum = fnv1a_more(self.sum, name.as_encoded_bytes());
            // What is gone by now, or leads nowhere, is no file.
            if let Ok(metadata) = fs::metadata(entry.path()) {
                self.add(&entry.path(), &metadata, deep - 1)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_gives_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let now = || Stamp::of(folder.path()).unwrap();
        fs::create_dir(at("deep")).unwrap();
        let mut stamps = vec![now()];
        fs::write(at("deep/a.txt"), "one").unwrap();
        stamps.push(now());
        assert_eq!(now(), stamps[1]);
        fs::write(at("deep/a.txt"), "longer").unwrap();
        stamps.push(now());
        fs::write(at("b.txt"), "other").unwrap();
        fs::rename(at("b.txt"), at("deep/a.txt")).unwrap();
        stamps.push(now());
        fs::remove_file(at("deep/a.txt")).unwrap();
        stamps.push(now());
        for (number, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[..number].contains(stamp), "{number}");
        }
        let last = stamps[0].latest_ns;
        assert!(!stamps[0].is_settled(last + 1) && stamps[0].is_settled(last + COARSE_NS + 1));
        assert!(Stamp::of(&at("nothing")).is_err());
    }
}
