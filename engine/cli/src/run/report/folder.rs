//! The run's output folder: claimed for one run, cleared of an earlier one, half lines cut.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use rustix::fs::FlockOperation;
use sage_dataflow::sinks::file_name;
use sage_dsl::plan::Plan;

use crate::exit::{usage, usage_of};
use crate::run::facts::TRIAL;
use crate::run::services::JOURNAL;

/// Files every run writes.
pub(crate) const OWN_FILES: [&str; 8] = [
    "metrics.json",
    "summary.txt",
    "setup.json",
    "plan.json",
    sage_dataflow::TASKS,
    sage_dataflow::DECISIONS,
    sage_dataflow::TIMELINE,
    sage_dataflow::DEAD_LETTERS,
];

/// The folder of a run, claimed: no other run writes there as long as this is alive.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Whether it holds the results of an earlier run, which are replaced.
    pub(crate) replaced: bool,
    /// Locked; the lock falls with the process, however it ends.
    _lock: File,
}

/// Holds the lock of a folder.
pub(crate) const LOCK: &str = ".lock";

impl Folder {
    /// Claim the folder that was named, or a new one for `pipeline`, and clear what an earlier run
    /// left in it.
    ///
    /// The answers that the earlier run paid for are kept unless `fresh` gives them up.
    pub(crate) fn claim(given: Option<&Path>, pipeline: &str, fresh: bool) -> anyhow::Result<Self> {
        let path = match given {
            Some(path) => {
                check(path)?;
                fs::create_dir_all(path).map_err(|error| refused(path, &error))?;
                path.to_owned()
            }
            None => new_folder(Path::new(RUNS), pipeline)?,
        };
        let lock = lock(&path)?;
        let replaced = clear(&path)?;
        let journal = path.join(JOURNAL);
        if fresh && journal.exists() {
            sage_llm::journal::clear(&journal, None).map_err(usage_of)?;
        }
        Ok(Folder { path, replaced, _lock: lock })
    }
}

impl Folder {
    /// Claim the folder for several jobs that was named, or a new one; each job then claims a folder
    /// in it.
    pub(crate) fn claim_root(
        given: Option<&Path>,
        name: &str,
        fresh: bool,
    ) -> anyhow::Result<Self> {
        let path = match given {
            Some(path) => {
                let entries = fs::read_dir(path).into_iter().flatten().flatten();
                let foreign = entries.map(|entry| entry.file_name()).any(|name| name != LOCK);
                if path.is_file() || foreign && !path.join(TRIAL).exists() {
                    return Err(usage(format!(
                        "--out {}: it holds something else than a run of several jobs; choose an empty or new folder",
                        path.display()
                    )));
                }
                fs::create_dir_all(path).map_err(|error| refused(path, &error))?;
                path.to_owned()
            }
            None => new_folder(Path::new(RUNS), name)?,
        };
        let lock = lock(&path)?;
        let replaced = path.join(TRIAL).exists();
        if !replaced {
            // From now on it is known as such a folder, also when the run fails early.
            fs::write(path.join(TRIAL), "{}\n").map_err(|error| refused(&path, &error))?;
        }
        let journal = path.join(JOURNAL);
        if fresh && journal.exists() {
            sage_llm::journal::clear(&journal, None).map_err(usage_of)?;
        }
        Ok(Folder { path, replaced, _lock: lock })
    }
}

fn refused(path: &Path, error: &std::io::Error) -> anyhow::Error {
    usage(format!("--out {}: {error}; choose a folder you may write to", path.display()))
}

/// Whether a folder can be a run's.
fn check(path: &Path) -> anyhow::Result<()> {
    if path.is_file() {
        return Err(usage(format!("--out {}: it is a file, not a folder", path.display())));
    }
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    let foreign = entries.flatten().any(|entry| entry.file_name() != LOCK);
    if foreign && !path.join("setup.json").exists() {
        return Err(usage(format!(
            "--out {}: the folder holds something else than a run; choose an empty or new one",
            path.display()
        )));
    }
    Ok(())
}

/// Where runs go that name no folder.
const RUNS: &str = "results/runs";

/// Make a folder in `runs`, named for the pipeline and the time. Making it claims it: of two runs
/// that start in the same second only one makes it, the other takes the next number.
pub(crate) fn new_folder(runs: &Path, pipeline: &str) -> anyhow::Result<PathBuf> {
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let time = time.trim_end_matches('Z').replace(':', "").replace('T', "-");
    fs::create_dir_all(runs).map_err(|error| refused(runs, &error))?;
    for number in 1..1000 {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = runs.join(format!("{pipeline}-{time}{suffix}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(refused(&path, &error)),
        }
    }
    Err(usage(format!("{} has a thousand runs of this second", runs.display())))
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path.join(LOCK)).map_err(|error| refused(path, &error))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let path = path.display();
        usage(format!(
            "--out {path}: a run that writes there is still going; choose another folder"
        ))
    })?;
    Ok(file)
}

/// Remove what an earlier run left; tells whether there was one.
fn clear(out: &Path) -> anyhow::Result<bool> {
    let failed = |error: std::io::Error| refused(out, &error);
    let earlier = fs::read(out.join("plan.json")).ok();
    let earlier = earlier.and_then(|plan| serde_json::from_slice::<Plan>(&plan).ok());
    let sinks = earlier.iter().flat_map(|plan| plan.sinks.iter().filter_map(file_name));
    let own = OWN_FILES.iter().map(|name| (*name).to_owned());
    // A plan that somebody else wrote must not name files outside of the folder.
    let within = |name: &String| {
        Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
    };
    for name in sinks.chain(own).filter(within) {
        match fs::remove_file(out.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    for folder in [sage_dataflow::sinks::parts_folder(out), out.join("index")] {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
    }
    // Retries of what failed in the earlier run.
    let entries = fs::read_dir(out).map_err(failed)?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("retry-")) {
            continue;
        }
        if path.join("setup.json").is_file() {
            fs::remove_dir_all(&path).map_err(failed)?;
        } else if path.extension().is_some_and(|end| end == "jsonl") && path.is_file() {
            fs::remove_file(&path).map_err(failed)?;
        }
    }
    fs::create_dir_all(sage_dataflow::sinks::parts_folder(out)).map_err(failed)?;
    Ok(earlier.is_some())
}

/// A killed worker may leave half a line at the end of a table.
pub(super) fn cut_half_line(path: &Path) -> anyhow::Result<()> {
    let Ok(text) = std::fs::read(path) else { return Ok(()) };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        std::fs::write(path, &text[..whole])
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
