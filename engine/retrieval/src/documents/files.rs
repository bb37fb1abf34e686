//! Finds and reads the files of a list of paths.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BadRow, Corpus, Place};
use crate::error::RetrievalError;

/// Folders nested deeper than this are not meant to be documents.
const MAX_DEPTH: usize = 32;

/// A file found: where it is, and its name relative to the path that led to it, with `/`.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) name: String,
}

/// Calls `each` with every file's name, place and text. Folders are searched for the `endings`, in
/// alphabetical order so that documents are numbered alike everywhere; hidden entries and linked
/// folders are passed over. A file that is not text goes to the bad rows.
pub(super) fn read_all(
    paths: &[PathBuf],
    endings: &[&str],
    remedy: &'static str,
    mut each: impl FnMut(&str, &Arc<Path>, &str, &mut Corpus),
) -> Result<Corpus, RetrievalError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(RetrievalError::io("read", path))?;
        if metadata.is_dir() {
            walk(path, "", endings, MAX_DEPTH, &mut found)?;
        } else {
            let name = path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().into_owned();
            found.push(Found { path: path.clone(), name });
        }
    }
    let mut corpus = Corpus::default();
    for file in found {
        let mut bytes = Vec::new();
        let read = super::open(&file.path)?.read_to_end(&mut bytes);
        read.map_err(RetrievalError::io("read", &file.path))?;
        let place: Arc<Path> = file.path.into();
        if is_page(&place) && !endings.contains(&"html") {
            let reason = "it is an HTML page; index it by `html(...)`".into();
            corpus.bad_rows.push(BadRow { place: Place { file: place, line: 0 }, reason });
            continue;
        }
        match String::from_utf8(bytes) {
            Ok(text) => each(&file.name, &place, &text, &mut corpus),
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = before.split(|byte| *byte == b'\n').count() as u32;
                let place = Place { file: place, line };
                corpus.bad_rows.push(BadRow { place, reason: "not UTF-8".into() });
            }
        }
    }
    let first = paths.first().map_or(Path::new(""), PathBuf::as_path);
    corpus.checked(first, remedy)
}

/// Whether its ending says that tags stand in it.
fn is_page(path: &Path) -> bool {
    let ending = path.extension().unwrap_or(OsStr::new("")).to_ascii_lowercase();
    super::html::ENDINGS.iter().any(|known| ending == *known)
}

fn walk(
    folder: &Path,
    prefix: &str,
    endings: &[&str],
    depth: usize,
    found: &mut Vec<Found>,
) -> Result<(), RetrievalError> {
    let entries = fs::read_dir(folder).map_err(RetrievalError::io("list", folder))?;
    let mut entries =
        entries.collect::<Result<Vec<_>, _>>().map_err(RetrievalError::io("list", folder))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, own) = (entry.path(), entry.file_name());
        let own = own.to_string_lossy();
        let kind = entry.file_type().map_err(RetrievalError::io("inspect", &path))?;
        if own.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{own}");
        let ending = path.extension().unwrap_or(OsStr::new("")).to_ascii_lowercase();
        if kind.is_dir() {
            if depth > 0 {
                walk(&path, &format!("{name}/"), endings, depth - 1, found)?;
            }
        } else if endings.iter().any(|known| ending == *known) && path.is_file() {
            found.push(Found { path, name });
        }
    }
    Ok(())
}
