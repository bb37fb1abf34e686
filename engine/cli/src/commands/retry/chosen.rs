//! Which retry a command goes on with: one that was broken off, or a new one.
//!
//! The records of a retry are in a file beside the dead letters, whose number names the retry. A run
//! goes on only with the same source, so the same command has to find the file that it made before;
//! and only when that run is finished a new one begins.

use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use sage_dsl::plan::{Plan, lookup};
use sage_dsl::types::Value as Constant;
use tempfile::NamedTempFile;

use crate::exit::usage;
use crate::regular;
use crate::run;

/// Retries beside one file.
const MOST_RETRIES: u32 = 10_000;

/// A retry that is to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Its records, by the name that the plan has for them.
    pub(super) records: PathBuf,
    /// Its folder.
    pub(super) out: PathBuf,
    /// Whether it was begun before.
    pub(super) begun: bool,
}

impl Chosen {
    /// What did not come to a run leaves nothing behind.
    pub(super) fn forget(&self) {
        if !self.begun && !run::is_unfinished(&self.out) {
            let _ = std::fs::remove_file(&self.records);
        }
    }
}

fn source_name(number: u32) -> String {
    format!("retry-{number}.jsonl")
}

/// Retries of `folder` that are not finished and have these records, the latest first. With `out`
/// only one in there.
pub(super) fn unfinished(folder: &Path, out: Option<&Path>, records: &Path) -> Vec<Chosen> {
    let folders = if let Some(out) = out {
        vec![out.to_owned()]
    } else {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let number =
            |path: &Path| path.file_name()?.to_str()?.strip_prefix("retry-")?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = entries.filter_map(|entry| number(&entry.path())).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.into_iter().map(|number| folder.join(format!("retry-{number}"))).collect()
    };
    let folders = folders.into_iter().filter(|out| run::is_unfinished(out));
    let begun = folders.filter_map(|out| {
        let source = source_of(&out)?;
        let beside = source.parent()?.canonicalize().ok()? == folder.canonicalize().ok()?;
        let same = beside && same_bytes(&source, records).unwrap_or(false);
        same.then_some(Chosen { records: source, out, begun: true })
    });
    begun.collect()
}

/// The file that the run in `out` reads.
fn source_of(out: &Path) -> Option<PathBuf> {
    let plan: Plan =
        serde_json::from_slice(&regular::read(&out.join("plan.json"), regular::DESCRIPTION).ok()?)
            .ok()?;
    let source = plan.source().filter(|source| source.kind == "jsonl")?;
    lookup(&source.args, "path").and_then(Constant::as_str).map(PathBuf::from)
}

fn same_bytes(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (one, other) = (regular::open(one)?, regular::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut others = BufReader::new(other).bytes();
    for byte in BufReader::new(one).bytes() {
        if others.next().transpose()? != Some(byte?) {
            return Ok(false);
        }
    }
    Ok(others.next().is_none())
}

/// Give the records the first number that is free.
pub(super) fn claim(
    folder: &Path,
    out: Option<&Path>,
    mut records: NamedTempFile,
) -> anyhow::Result<Chosen> {
    for number in 1..MOST_RETRIES {
        let own = folder.join(format!("retry-{number}"));
        if own.exists() {
            continue;
        }
        let path = std::path::absolute(folder.join(source_name(number)))?;
        match records.persist_noclobber(&path) {
            Ok(_) => {
                let out = out.map_or(own, Path::to_owned);
                return Ok(Chosen { records: path, out, begun: false });
            }
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => records = error.file,
            Err(error) => {
                return Err(usage(format!("cannot write `{}`: {}", path.display(), error.error)));
            }
        }
    }
    Err(usage(format!("`{}` has {MOST_RETRIES} retries", folder.display())))
}

/// A file for records that have no number yet. A run that clears the folder knows it by its name.
pub(super) fn unnumbered(folder: &Path) -> anyhow::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let mut name = tempfile::Builder::new();
    name.prefix("retry-new-").suffix(".jsonl");
    name.permissions(std::fs::Permissions::from_mode(0o666));
    name.tempfile_in(folder)
        .map_err(|error| usage(format!("cannot write into `{}`: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_free_when_neither_its_file_nor_its_folder_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("retry-1.jsonl"), "").unwrap();
        std::fs::create_dir(path("retry-2")).unwrap();
        let mut records = unnumbered(folder.path()).unwrap();
        std::io::Write::write_all(&mut records, b"{}\n").unwrap();
        let chosen = claim(folder.path(), None, records).unwrap();
        assert_eq!((&chosen.records, &chosen.out), (&path("retry-3.jsonl"), &path("retry-3")));
        assert!(same_bytes(&chosen.records, &chosen.records).unwrap());
        assert!(!same_bytes(&chosen.records, &path("retry-1.jsonl")).unwrap());
        // Nothing of it has run.
        assert_eq!(unfinished(folder.path(), None, &chosen.records), []);
        chosen.forget();
        assert!(!path("retry-3.jsonl").exists());
    }
}
