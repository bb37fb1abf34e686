//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::LabError;

/// Bytes of a JSON file that are read; what is longer is damaged.
const LARGEST: u64 = 1 << 30;

/// Write `text` to `path`: beside it first, to the disk, then in its place.
pub(crate) fn write(path: &Path, text: &[u8]) -> Result<(), LabError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = Path::new(&beside);
    let write = || {
        let mut file = File::create(beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(beside, path)?;
        // The name, too, must outlive a power cut.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(LabError::file("write", path))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LabError> {
    let text = serde_json::to_string_pretty(value).map_err(|why| LabError::content(path, why))?;
    write(path, (text + "\n").as_bytes())
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LabError> {
    let mut text = Vec::new();
    let file = open(path).map_err(LabError::file("read", path))?;
    file.take(LARGEST).read_to_end(&mut text).map_err(LabError::file("read", path))?;
    serde_json::from_slice(&text).map_err(|why| {
        LabError::content(path, format!("{why}; was it written by another version, or changed?"))
    })
}

/// Open a file that has an end: to open a pipe is to wait for who writes to it, and a device may have none.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is a folder, a pipe or a device, not a file"));
    }
    File::open(path)
}

/// Remove a folder with all it holds, if it is there.
pub(crate) fn remove_folder(path: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LabError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}
