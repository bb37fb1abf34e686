//! Folders of results: `results/EXPERIMENT/DATE-HOST-BACKEND`, one for each suite.
//!
//! A suite that was stopped goes on in its own folder. It is recognised by what it runs and not by
//! its name: another experiment, other settings, another build begin a new one.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;
use sage_dsl::experiment::Backend as Place;
use sage_lab::outputs::METRICS;
use sage_lab::suite::{CHANGED_INPUT, Suite};

use crate::exit::{usage, usage_of};

/// Held by whoever writes into a folder.
const LOCK: &str = ".lock";

/// A folder of results, claimed: nobody else writes there as long as this is alive.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Whether a suite goes on that was stopped earlier.
    pub(crate) resumed: bool,
    /// A suite that was stopped and reads something else now: it could not go on.
    pub(crate) passed_over: Option<PathBuf>,
    _lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // No harm if it stays: the lock itself falls with the process.
        let _ = fs::remove_file(self.path.join(LOCK));
    }
}

/// Where the results of an experiment are.
pub(crate) fn results_root(experiment: &str) -> PathBuf {
    Path::new("results").join(experiment)
}

/// Claim the folder for `suite`: the one in `given`, the one of the same suite that was stopped, or
/// a new one. `fresh` begins anew in any case.
pub(crate) fn claim(
    suite: &Suite,
    given: Option<&Path>,
    host: &str,
    fresh: bool,
) -> anyhow::Result<Folder> {
    if let Some(path) = given {
        return claim_given(suite, path, fresh);
    }
    let root = results_root(&suite.experiment.name);
    let end = format!("-{}-{}", safe(host), suite.backend.as_str());
    let mut passed_over = None;
    if !fresh {
        for path in newest_first(&root, &end) {
            let Ok(Some(earlier)) = Suite::open(&path) else { continue };
            let differs = suite.differs(&earlier);
            if differs.is_some_and(|what| what != CHANGED_INPUT)
                || earlier.complete(&path).map_err(usage_of)?
            {
                continue;
            }
            if differs.is_some() {
                passed_over.get_or_insert(path);
                continue;
            }
            return Ok(Folder { resumed: true, passed_over: None, _lock: lock(&path)?, path });
        }
    }
    fs::create_dir_all(&root).map_err(|error| refused(&root, &error))?;
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let time = time.trim_end_matches('Z').replace(':', "").replace('T', "-");
    for number in 1..1000 {
        let more = if number == 1 { String::new() } else { format!("_{number}") };
        let path = root.join(format!("{time}{more}{end}"));
        match fs::create_dir(&path) {
            Ok(()) => {
                return Ok(Folder { resumed: false, passed_over, _lock: lock(&path)?, path });
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&path, &error)),
        }
    }
    Err(usage(format!("`{}` has a thousand folders of this second", root.display())))
}

fn claim_given(suite: &Suite, path: &Path, fresh: bool) -> anyhow::Result<Folder> {
    let shown = path.display();
    if path.is_file() {
        return Err(usage(format!("--out {shown}: it is a file, not a folder")));
    }
    let earlier = Suite::open(path);
    let foreign = || {
        let entries = fs::read_dir(path).map(Iterator::flatten);
        entries.is_ok_and(|mut entries| entries.any(|entry| entry.file_name() != LOCK))
    };
    match &earlier {
        Ok(None) if foreign() => {
            return Err(usage(format!(
                "--out {shown}: the folder holds something else than an experiment; choose an \
                 empty or new one"
            )));
        }
        // What cannot be read can still be replaced.
        Err(error) if !fresh => return Err(usage(format!("--out {shown}: {error}"))),
        Ok(Some(earlier)) if !fresh => {
            if let Some(what) = suite.differs(earlier) {
                return Err(usage(format!(
                    "--out {shown}: it holds results of `{}`, and {what} changed since; choose \
                     another folder, or replace them with --fresh",
                    earlier.experiment.name
                )));
            }
        }
        _ => {}
    }
    fs::create_dir_all(path).map_err(|error| refused(path, &error))?;
    let lock = lock(path)?;
    let resumed = matches!(earlier, Ok(Some(_))) && !fresh;
    if fresh && !matches!(earlier, Ok(None)) {
        clear(path)?;
    }
    Ok(Folder { path: path.to_owned(), resumed, passed_over: None, _lock: lock })
}

/// Remove an earlier suite with its outputs.
fn clear(path: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(path).map_err(|error| refused(path, &error))?;
    for entry in entries.flatten().filter(|entry| entry.file_name() != LOCK) {
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        let removed = if folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| refused(&path, &error))?;
    }
    Ok(())
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path.join(LOCK)).map_err(|error| refused(path, &error))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        usage(format!(
            "`{}`: another experiment that writes there is still going; wait for it, or begin \
             another folder with --fresh",
            path.display()
        ))
    })?;
    Ok(file)
}

fn refused(path: &Path, error: &std::io::Error) -> anyhow::Error {
    usage(format!("`{}`: {error}; choose a folder you may write to with --out", path.display()))
}

/// The newest folder of an experiment's results that holds a report, with those results.
pub(crate) fn last(experiment: &str) -> Option<(PathBuf, sage_lab::results::Results)> {
    let folders = newest_first(&results_root(experiment), "");
    folders.into_iter().filter(|path| path.join(METRICS).is_file()).find_map(|path| {
        let results = sage_lab::outputs::read(&path).ok()?;
        Some((path, results))
    })
}

/// Folders in `root` whose names end with `end`; names begin with the time.
fn newest_first(root: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let fits = |path: &PathBuf| {
        path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end))
    };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    found.reverse();
    found
}

/// Where the results of one of several parts go when a folder for all was named.
pub(crate) fn within(given: &Path, experiment: &str, place: Place) -> PathBuf {
    given.join(format!("{experiment}-{}", place.as_str()))
}

/// A host's name as a part of a folder's.
fn safe(host: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = host.chars().take(40).map(keep).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "host".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_are_safe_and_folders_are_found_by_their_time() {
        assert_eq!(safe("node.7/../x y"), "node-7----x-y");
        assert_eq!(safe("///"), "host");
        let root = tempfile::tempdir().unwrap();
        for name in
            ["2026-01-02-101010-a-sim", "2026-01-03-000000-a-twin", "2026-01-03-101010-a-sim"]
        {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        fs::write(root.path().join("2027-01-01-a-sim"), "a file").unwrap();
        let names: Vec<_> = newest_first(root.path(), "-a-sim")
            .into_iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["2026-01-03-101010-a-sim", "2026-01-02-101010-a-sim"]);
    }
}
