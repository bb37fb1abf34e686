//! From what is on the disk to what a new generation starts from.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::entry::Commit;
use super::extent::{Content, Extent, Grown};
use super::layout::{self, COUNTS, folder, manifests, may_name, names, replace, sync_folder};
use super::manifest::{self, damaged, twice};
use super::{FOLDER, frame};
use crate::error::DataflowError;
use crate::sinks::{PARTS, parts_folder};

/// Prepare `out` for a run that has committed nothing.
pub fn begin(out: &Path) -> Result<(), DataflowError> {
    for folder in [folder(out), parts_folder(out)] {
        fs::create_dir_all(&folder).map_err(|reason| DataflowError::File {
            action: "create",
            path: folder,
            reason,
        })?;
    }
    sync_folder(out)
}

/// What the run in `out` has committed, over all generations. Changes nothing.
pub fn read(out: &Path) -> Result<Commit, DataflowError> {
    let path = layout::base(out);
    let base = manifest::read_base(&path)?;
    let places = manifests(out)?;
    // The first generation starts from nothing, all others from what was before them.
    if base.is_none() && places.iter().any(|place| place.generation > 1) {
        return Err(damaged(&path, "it is not there, and says what was committed before".into()));
    }
    let mut whole = base.unwrap_or_default();
    let within = whole.generation;
    for place in places {
        // The base has the others in it, whatever a process that was given up wrote later.
        if place.generation > within {
            let commit = manifest::read(&place)?;
            whole.absorb(&commit).map_err(|task| twice(&place.log(), task))?;
            whole.generation = whole.generation.max(place.generation);
        }
    }
    if let Some(name) = whole.files.keys().find(|name| !may_name(name)) {
        return Err(damaged(&path, format!("it names `{name}`, which is no file of the run's")));
    }
    Ok(whole)
}

/// What the generations before this one committed, as [`recover`] wrote it down.
pub(crate) fn earlier(out: &Path) -> Result<Commit, DataflowError> {
    Ok(manifest::read_base(&layout::base(out))?.unwrap_or_default())
}

/// Put the run in `out` back to what it has committed: cut its part files, and write that down as
/// what the next generation, one higher than that of the answer, starts from. No worker may be
/// writing. It can be broken off at any moment and made again.
pub fn recover(out: &Path) -> Result<Commit, DataflowError> {
    begin(out)?;
    let mut whole = read(out)?;
    whole.files.retain(|_, extent| extent.content != Content::Totals && extent.length > 0);
    for (name, extent) in &whole.files {
        cut(&out.join(name), *extent)?;
    }
    whole.sequence = 0;
    let mut bytes = Vec::new();
    frame::append(&mut bytes, frame::Says::All, &whole.encode());
    replace(&layout::base(out), &bytes)?;
    // From here on the base says it all.
    for name in names(&parts_folder(out))? {
        let name = format!("{PARTS}/{name}");
        if !whole.files.contains_key(&name) {
            remove(&out.join(name))?;
        }
    }
    for name in names(&folder(out))? {
        let full = format!("{FOLDER}/{name}");
        let counts = name.starts_with(COUNTS) && !whole.files.contains_key(&full);
        let manifest = name.starts_with(|c: char| c.is_ascii_digit());
        if counts || manifest {
            remove(&out.join(full))?;
        }
    }
    Ok(whole)
}

/// The run in `out` is finished: its part files and commits go. From the first step on it does not
/// count as unfinished any more.
pub fn discard(out: &Path) -> Result<(), DataflowError> {
    let gone = out.join(format!("{FOLDER}.old"));
    let failed = |reason| DataflowError::File { action: "remove", path: gone.clone(), reason };
    if folder(out).exists() {
        let _ = fs::remove_dir_all(&gone);
        // The final files have their names before the parts go.
        sync_folder(out)?;
        fs::rename(folder(out), &gone).map_err(failed)?;
    }
    for folder in [parts_folder(out), gone.clone()] {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), DataflowError> {
    match fs::remove_file(path) {
        Err(reason) if reason.kind() != std::io::ErrorKind::NotFound => {
            Err(DataflowError::File { action: "remove", path: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// Cut a part file to its committed length, after a look whether that is still what was written.
fn cut(path: &Path, extent: Extent) -> Result<(), DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: path.to_owned(), reason };
    let file = match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged(path, "it is not there, and rows in it were committed".into()));
        }
        file => file.map_err(failed)?,
    };
    let there = file.metadata().map_err(failed)?.len();
    let length = extent.length;
    if there < length {
        let message = format!("{there} bytes are left of {length} that were committed");
        return Err(damaged(path, message));
    }
    let mut grown = Grown::default();
    let mut committed = (&file).take(length);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match committed.read(&mut buffer).map_err(failed)? {
            0 => break,
            read => grown.add(&buffer[..read], 0),
        }
    }
    if grown.extent(extent.content).checksum != extent.checksum {
        return Err(damaged(path, "its bytes are not those that were committed".into()));
    }
    if there > length {
        file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    Ok(())
}
