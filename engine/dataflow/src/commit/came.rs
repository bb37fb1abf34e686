//! How many requests of a service have come, noted before anybody works on them.
//!
//! A number that was given out must not be given again, also when the process that gave it was
//! killed before anything of the request was committed. So the count is written to a file with each
//! admission. It is not brought to the disk each time, which would make clients wait for it: what
//! was written outlives every process, and only the loss of power can take back the last numbers.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::layout::{folder, names, sync_folder};
use crate::error::DataflowError;

/// Beginning of the names of these files, in the folder of commits; one of each generation, so that
/// a process which was given up cannot take back what came after it.
const CAME: &str = "came.";

/// The count of one generation.
#[derive(Debug)]
pub(crate) struct Came(File);

impl Came {
    pub(crate) fn begin(out: &Path, generation: u32) -> Result<Self, DataflowError> {
        let folder = folder(out);
        let path = folder.join(format!("{CAME}{generation:06}"));
        let failed = |reason| DataflowError::File { action: "create", path: path.clone(), reason };
        let file = File::create(&path).map_err(failed)?;
        sync_folder(&folder)?;
        Ok(Came(file))
    }

    /// So many have come, over all generations.
    pub(crate) fn note(&self, count: u64) -> io::Result<()> {
        self.0.write_all_at(&count.to_le_bytes(), 0)
    }
}

/// How many requests have come to the service in `out`, as far as was noted and is not settled.
pub fn noted(out: &Path) -> Result<u64, DataflowError> {
    let mut most = 0;
    for name in own(out)? {
        let path = folder(out).join(name);
        let failed = |reason| DataflowError::File { action: "read", path: path.clone(), reason };
        let bytes = fs::read(&path).map_err(failed)?;
        // One that was just made is empty.
        let count = <[u8; 8]>::try_from(bytes.as_slice()).map_or(0, u64::from_le_bytes);
        most = most.max(count);
    }
    Ok(most)
}

/// All that was noted is settled.
pub(super) fn forget(out: &Path) -> Result<(), DataflowError> {
    for name in own(out)? {
        let path = folder(out).join(name);
        let failed = |reason| DataflowError::File { action: "remove", path: path.clone(), reason };
        fs::remove_file(&path).map_err(failed)?;
    }
    Ok(())
}

fn own(out: &Path) -> Result<impl Iterator<Item = String>, DataflowError> {
    Ok(names(&folder(out))?.into_iter().filter(|name| name.starts_with(CAME)))
}
