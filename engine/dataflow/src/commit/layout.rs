//! Names of the files of a run's commits.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use crate::error::DataflowError;
use crate::sinks::PARTS;

/// Folder of the commits within a run's output folder. It is there as long as the run is not
/// finished.
pub const FOLDER: &str = "commit";

/// Where the commits of the run in `out` are.
pub fn folder(out: &Path) -> PathBuf {
    out.join(FOLDER)
}

pub(super) fn base(out: &Path) -> PathBuf {
    folder(out).join("base")
}

/// The files of one worker's manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) generation: u32,
    pub(super) peer: usize,
}

impl Place {
    pub(super) fn log(&self) -> PathBuf {
        self.path("log")
    }

    pub(super) fn base(&self) -> PathBuf {
        self.path("base")
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{:06}-{:04}.{end}", self.generation, self.peer))
    }
}

/// All manifests, the earliest first.
pub(super) fn manifests(out: &Path) -> Result<Vec<Place>, DataflowError> {
    let folder = folder(out);
    let mut places = Vec::new();
    for name in names(&folder)? {
        let stem = name.strip_suffix(".log").or_else(|| name.strip_suffix(".base"));
        let Some((generation, peer)) = stem.and_then(|stem| stem.split_once('-')) else { continue };
        if let (Ok(generation), Ok(peer)) = (generation.parse(), peer.parse()) {
            places.push(Place { folder: folder.clone(), generation, peer });
        }
    }
    places.sort();
    places.dedup();
    Ok(places)
}

/// Names of the files in a folder; none if it is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: folder.to_owned(), reason };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// How the names of all parts of a run's file begin.
pub(super) fn part_of(file: &str) -> String {
    format!("{PARTS}/{}.", file.replace('/', "%2F"))
}

/// A worker's part of a run's file, by its name within the run's folder.
pub(crate) fn part_name(file: &str, generation: u32, peer: usize) -> String {
    format!("{}{generation:06}{peer:04}", part_of(file))
}

/// A second part of the same file by the same worker, with what is computed anew by each generation.
pub(crate) fn dead_results(file: &str, generation: u32, peer: usize) -> String {
    part_name(file, generation, peer) + "0"
}

/// Beginning of the names of files with rows of counting sinks, within the folder of commits.
pub(super) const COUNTS: &str = "counts-";

/// A worker's rows of a counting sink, by its name within the run's folder.
pub(crate) fn counts_name(sink: usize, generation: u32, peer: usize) -> String {
    format!("{FOLDER}/{COUNTS}{sink}.{generation:06}{peer:04}")
}

/// Whether a name is one that [`counts_name`] gives for this sink.
pub(crate) fn counts_of(sink: usize, name: &str) -> bool {
    name.starts_with(&format!("{FOLDER}/{COUNTS}{sink}."))
}

/// Whether a manifest may name this file: one of ours, within the run's folder.
pub(super) fn may_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let ours = match parts.next() {
        Some(Component::Normal(first)) => first == FOLDER || first == PARTS,
        _ => false,
    };
    ours && matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
}

/// Make the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), DataflowError> {
    let failed = |reason| DataflowError::File { action: "write", path: folder.to_owned(), reason };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Write a file so that it is there whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DataflowError> {
    use std::io::Write;
    let beside = path.with_extension("tmp");
    let failed = |reason| DataflowError::File { action: "write", path: path.to_owned(), reason };
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    path.parent().map_or(Ok(()), sync_folder)
}
