//! The files of a folder and of those within it, in an order that is the same everywhere.
//!
//! Hidden entries and linked folders are passed over: the first are seldom meant, and the others may
//! go round in circles. What cannot be looked into is told, and does not hide the rest.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::document::ending;

/// Folders nested deeper than this are not meant to be documents.
const MOST_DEEP: usize = 32;

/// A file with one of the endings, or what is wrong with a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Below the folder, with `/`.
    pub(super) name: String,
    pub(super) trouble: Option<String>,
}

/// What a walk has come upon.
#[derive(Debug)]
pub(super) struct Walk<'e> {
    endings: &'e [String],
    most: usize,
    /// What was found so far.
    pub(super) found: Vec<Found>,
}

/// The walk has found more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl<'e> Walk<'e> {
    /// A walk for files with these endings, at most so many.
    pub(super) fn new(endings: &'e [String], most: usize) -> Self {
        Walk { endings, most, found: Vec::new() }
    }

    /// All of a folder. That it cannot be listed is the error; with a folder in it that is trouble.
    pub(super) fn folder(&mut self, folder: &Path) -> io::Result<Result<(), TooMany>> {
        self.inside(folder, "", MOST_DEEP)
    }

    fn inside(
        &mut self,
        folder: &Path,
        prefix: &str,
        deep: usize,
    ) -> io::Result<Result<(), TooMany>> {
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let own = entry.file_name();
            if own.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = format!("{prefix}{}", own.to_string_lossy());
            let path = entry.path();
            let nested = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let trouble = if nested && deep == 0 {
                Some(format!("it lies more than {MOST_DEEP} folders deep"))
            } else if nested {
                match self.inside(&path, &format!("{name}/"), deep - 1) {
                    Ok(Ok(())) => continue,
                    Ok(Err(TooMany)) => return Ok(Err(TooMany)),
                    Err(error) => Some(format!("the folder cannot be listed: {error}")),
                }
            } else if !self.wanted(&path) {
                continue;
            } else {
                match fs::metadata(&path) {
                    Ok(kind) if kind.is_dir() => continue,
                    _ if own.to_str().is_none() => Some("the name of the file is not UTF-8".to_owned()),
                    Ok(kind) if kind.is_file() => None,
                    Ok(_) => Some("it is a pipe, a socket or a device, not a file".to_owned()),
                    Err(error) if entry.file_type().is_ok_and(|kind| kind.is_symlink()) => {
                        Some(format!("it is a link that cannot be followed: {error}"))
                    }
                    // It was there when the folder was listed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => Some(format!("it cannot be looked at: {error}")),
                }
            };
            if self.found.len() == self.most {
                return Ok(Err(TooMany));
            }
            self.found.push(Found { path, name, trouble });
        }
        Ok(Ok(()))
    }

    fn wanted(&self, path: &Path) -> bool {
        // One that is asked for by its whole name is read, too: `endings: "gz"`.
        let whole = path.extension().map(OsStr::to_ascii_lowercase);
        [whole, ending(path)].into_iter().flatten().any(|ending| self.endings.iter().any(|wanted| ending == wanted.as_str()))
    }
}
