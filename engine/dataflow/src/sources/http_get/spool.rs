//! Pages on the disk, as long as the run is not finished.
//!
//! ```text
//! commit/page-000002.000001        what page 2 holds, as generation 1 was given it
//! commit/page-000002.000001.said   its address, that of the next one, length and checksum
//! ```
//!
//! The second file is written when the first is whole: without it there is no page. Each generation
//! writes files of its own, and of several the last counts: a process that was given up cannot take
//! the place of a page that others have seen.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::commit::{begin, damaged, folder};
use crate::error::DataflowError;

const PREFIX: &str = "page-";
const SAID: &str = ".said";

/// Where the pages of a run are.
pub(super) struct Spool {
    folder: PathBuf,
    generation: u32,
    /// Tasks that were worked on, and rows that are no records.
    needs: (u64, u64),
    /// Names of the files that there were when this generation began.
    there: Vec<String>,
}

/// A page.
pub(super) struct Page {
    pub(super) path: PathBuf,
    /// Address of the next one.
    pub(super) next: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Said {
    address: String,
    next: Option<String>,
    bytes: u64,
    checksum: u32,
}

impl Spool {
    pub(super) fn begin(kept: &Kept) -> Result<Self, DataflowError> {
        begin(&kept.out)?;
        let folder = folder(&kept.out);
        let needs = (kept.done.max().map_or(0, |last| last + 1), kept.buried);
        let there = names(&folder)?;
        // Who reads a source again from its beginning has worked on it already.
        Ok(Spool { folder, generation: kept.generation, needs, there })
    }

    pub(super) fn has_begun(out: &Path) -> bool {
        names(&folder(out)).is_ok_and(|names| !names.is_empty())
    }

    fn path(&self, number: u64, generation: u32) -> PathBuf {
        self.folder.join(format!("{PREFIX}{number:06}.{generation:06}"))
    }

    /// A page that is there already, if it is the one at `address`.
    pub(super) fn there(&self, number: u64, address: &str) -> Result<Option<Page>, DataflowError> {
        let beginning = format!("{PREFIX}{number:06}.");
        let pages = self.there.iter().filter(|name| name.starts_with(&beginning));
        // In the order of their generations. One of this generation is from an earlier reading.
        let own = self.path(number, self.generation);
        let latest = pages.max().map(|name| self.folder.join(name));
        let Some(path) = Some(own).filter(|own| said(own).exists()).or(latest) else {
            return Ok(None);
        };
        let page: Said = serde_json::from_slice(&read(&said(&path))?)
            .map_err(|error| damaged(&said(&path), error.to_string()))?;
        if page.address != address {
            return Ok(None);
        }
        let bytes = read(&path)?;
        if (bytes.len() as u64, crc32fast::hash(&bytes)) != (page.bytes, page.checksum) {
            return Err(damaged(&path, "it is not what the server gave".to_owned()));
        }
        Ok(Some(Page { path, next: page.next }))
    }

    /// That nothing is missing of what was worked on, before a page is asked for.
    pub(super) fn complete(&self, tasks: u64, bad: u64, number: u64) -> Result<(), DataflowError> {
        if tasks >= self.needs.0 && bad >= self.needs.1 {
            return Ok(());
        }
        let message = format!(
            "records of page {} were worked on, and it is not there any more; --fresh begins anew",
            number + 1
        );
        Err(damaged(&self.path(number, self.generation), message))
    }

    /// Bring a page to the disk.
    pub(super) fn keep(
        &self,
        number: u64,
        address: &str,
        next: Option<String>,
        bytes: &[u8],
    ) -> Result<Page, DataflowError> {
        let path = self.path(number, self.generation);
        write(&path, bytes)?;
        let page = Said {
            address: address.to_owned(),
            next,
            bytes: bytes.len() as u64,
            checksum: crc32fast::hash(bytes),
        };
        let text = serde_json::to_vec(&page)
            .map_err(|error| DataflowError::Broken(format!("a page cannot be noted: {error}")))?;
        let beside = path.with_extension(format!("{:06}.tmp", self.generation));
        write(&beside, &text)?;
        let failed =
            |reason| DataflowError::File { action: "write", path: path.clone(), reason };
        fs::rename(&beside, said(&path)).map_err(failed)?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(Page { path, next: page.next })
    }
}

fn said(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SAID);
    name.into()
}

/// Names of whole pages, in order.
fn names(folder: &Path) -> Result<Vec<String>, DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: folder.to_owned(), reason };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let whole = names.filter_map(|name| name.strip_suffix(SAID).map(str::to_owned));
    let mut names: Vec<String> = whole.filter(|name| name.starts_with(PREFIX)).collect();
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>, DataflowError> {
    fs::read(path).map_err(|reason| DataflowError::File {
        action: "read",
        path: path.to_owned(),
        reason,
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DataflowError> {
    let failed = |reason| DataflowError::File { action: "write", path: path.to_owned(), reason };
    let mut file = File::create(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}
