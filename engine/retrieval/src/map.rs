//! The one place with `unsafe`: mapping an index file into memory.
//!
//! A map is unsafe because the bytes behind a `&[u8]` may change or vanish when another process
//! writes to or truncates the file. Why that does not happen here:
//!
//! - the builder writes to a temporary name, syncs, and renames; the name an index is opened by
//!   only ever stands for a complete file, and a rebuild replaces the name, leaving the old file
//!   intact for those who have it mapped;
//! - nothing in this crate opens an index file for writing, and the map is read-only;
//! - the file is created with mode 0600, so only the owner of the run could change it.
//!
//! If the owner truncates it nevertheless, a read behind the new end raises SIGBUS and ends the
//! worker; if bytes are overwritten in place, wrong hits are returned. No read trusts an offset in
//! the file, so neither can reach memory outside the map.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::RetrievalError;

/// A whole file, read-only.
#[derive(Debug)]
pub(crate) struct Mapping(Mmap);

impl Mapping {
    #[expect(unsafe_code, reason = "the file is never changed in place; see the module's text")]
    pub(crate) fn of(path: &Path) -> Result<Self, RetrievalError> {
        let file = File::open(path).map_err(RetrievalError::io("open", path))?;
        let metadata = file.metadata().map_err(RetrievalError::io("inspect", path))?;
        if !metadata.is_file() {
            return Err(RetrievalError::Foreign(path.to_owned()));
        }
        // SAFETY: complete before it was renamed to `path`, private to its owner, and never written
        // to afterwards; every access is bounds-checked against the length mapped here.
        let map = unsafe { Mmap::map(&file) };
        map.map(Mapping).map_err(RetrievalError::io("map", path))
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
