//! The run's output folder: claimed for one run, which goes on with what an earlier attempt at it has
//! committed, or clears the folder of another run.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use rustix::fs::FlockOperation;
use sage_dataflow::commit::{self, Commit};
use sage_dataflow::sinks::file_name;
use sage_dataflow::sources;
use sage_dsl::plan::Plan;
use sage_retrieval::documents::Corpus;

use crate::exit::{usage, usage_of};
use crate::regular;
use crate::run::JobRun;
use crate::run::execute::reads_stdin;
use crate::run::facts::TRIAL;
use crate::run::identity::Identity;
use crate::run::services::JOURNAL;
use crate::run::unanswered;

/// Says how a run was started; by it a folder is known as a run's.
pub(crate) const SETUP: &str = "setup.json";

/// Files every run writes.
pub(crate) const OWN_FILES: [&str; 8] = [
    "metrics.json",
    "summary.txt",
    SETUP,
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
    /// What an earlier attempt at this run has committed, if there was one.
    pub(crate) earlier: Option<Commit>,
    /// Locked; the lock falls with the process, however it ends.
    _lock: File,
}

/// Holds the lock of a folder.
pub(crate) const LOCK: &str = ".lock";

impl Folder {
    /// Claim the folder that the job names, or a new one for its pipeline. A run in it that is not
    /// finished goes on if it is of the same, and else is refused; what a finished one left is
    /// cleared.
    ///
    /// The answers that the earlier run paid for are kept, unless `--fresh` gives up all that was.
    pub(crate) fn claim(job: &JobRun, corpora: &[Corpus]) -> anyhow::Result<Self> {
        let (pipeline, fresh) = (&job.plan.name, job.options.fresh);
        let path = match job.options.out.as_deref() {
            Some(path) => given(path)?,
            None => new_folder(Path::new(RUNS), pipeline)?,
        };
        let lock = lock(&path)?;
        unlinked(&path, &job.plan)?;
        let identity = Identity::of(job, corpora)?;
        let earlier = if fresh { None } else { unfinished(job, &path, &identity)? };
        if earlier.is_some() {
            // They tell of the attempt before.
            for name in ["metrics.json", "summary.txt"] {
                let _ = fs::remove_file(path.join(name));
            }
            return Ok(Folder { path, replaced: false, earlier, _lock: lock });
        }
        let replaced = clear(&path)?;
        commit::recover(&path).map_err(usage_of)?;
        identity.write(&path)?;
        // Only now: at every moment something tells that the folder is a run's.
        remove(&path.join(SETUP)).map_err(|error| refused(&path, &error))?;
        let journal = path.join(JOURNAL);
        if fresh && journal.exists() {
            sage_llm::journal::clear(&journal, None).map_err(usage_of)?;
        }
        Ok(Folder { path, replaced, earlier: None, _lock: lock })
    }
}

fn given(path: &Path) -> anyhow::Result<PathBuf> {
    check(path)?;
    fs::create_dir_all(path).map_err(|error| refused(path, &error))?;
    Ok(path.to_owned())
}

impl Folder {
    /// Claim a folder for figures that no run makes, and clear it; not one with a run that is not
    /// finished.
    pub(crate) fn claim_for_twin(path: &Path) -> anyhow::Result<Self> {
        let path = given(path)?;
        let lock = lock(&path)?;
        if commit::read(&path).map_err(usage_of)?.outcomes.total() > 0 {
            return Err(usage(format!(
                "--out {}: it holds a run that is not finished; choose another folder",
                path.display()
            )));
        }
        let replaced = clear(&path)?;
        Ok(Folder { path, replaced, earlier: None, _lock: lock })
    }
}

/// What the run in `out` has committed, put back to that state, if it is not finished and has
/// committed anything.
fn unfinished(job: &JobRun, out: &Path, now: &Identity) -> anyhow::Result<Option<Commit>> {
    // What was read from a pipe cannot be read again.
    if reads_stdin(&job.plan) {
        return Ok(None);
    }
    let Some(before) = Identity::read(out)? else { return Ok(None) };
    let done = commit::read(out).map_err(usage_of)?.outcomes.total();
    let requests = commit::requests(out).map_err(usage_of)?;
    if done == 0 && requests == 0 && !sources::has_begun(out) {
        return Ok(None);
    }
    let changes = before.changes(now);
    if changes.is_empty() {
        return Ok(Some(unanswered::recover_earlier(&job.plan, out).map_err(usage_of)?));
    }
    let changes: String = changes.iter().map(|change| format!("\n  {change}")).collect();
    Err(usage(format!(
        "--out {}: it holds a run that is not finished, and this is another one:{changes}\n\
         to go on with that run, run it as it was; for this one choose another folder; --fresh gives \
         that run up: all its {done} finished tasks are done again, and their answers paid again \
         (they are kept if you remove `{}` instead)",
        out.display(),
        commit::folder(out).display()
    )))
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
        Ok(Folder { path, replaced, earlier: None, _lock: lock })
    }
}

fn refused(path: &Path, error: &std::io::Error) -> anyhow::Error {
    usage(format!("--out {}: {error}; choose a folder you may write to", path.display()))
}

/// A folder within that of a run may be a link, and rows that are written there would be elsewhere.
fn unlinked(out: &Path, plan: &Plan) -> anyhow::Result<()> {
    for name in plan.sinks.iter().filter_map(file_name) {
        let folders = Path::new(&name).ancestors().skip(1).map(|folder| out.join(folder));
        let within = folders.filter(|folder| folder != out);
        for folder in within {
            if fs::symlink_metadata(&folder).is_ok_and(|found| found.file_type().is_symlink()) {
                return Err(usage(format!(
                    "--out {}: `{}` is a link, and the rows of `{name}` would be written elsewhere; \
                     remove it, or choose another folder",
                    out.display(),
                    folder.display()
                )));
            }
        }
    }
    Ok(())
}

/// Whether a folder can be a run's.
fn check(path: &Path) -> anyhow::Result<()> {
    if path.is_file() {
        return Err(usage(format!("--out {}: it is a file, not a folder", path.display())));
    }
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    let foreign = entries.flatten().any(|entry| entry.file_name() != LOCK);
    // A run that was killed early may have left no more than the answers of the run before.
    let ours = path.join(SETUP).exists()
        || commit::folder(path).exists()
        || sage_llm::journal::is_journal(&path.join(JOURNAL));
    if foreign && !ours {
        return Err(usage(format!(
            "--out {}: the folder holds something else than a run; choose an empty or new one, or \
             remove what is in it",
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
    let earlier = regular::read(&out.join("plan.json"), regular::DESCRIPTION).ok();
    let earlier = earlier.and_then(|plan| serde_json::from_slice::<Plan>(&plan).ok());
    let sinks = earlier.iter().flat_map(|plan| plan.sinks.iter().filter_map(file_name));
    let figures = earlier.iter().flat_map(|plan| &plan.measures);
    let figures = figures.filter_map(|measure| measure.file().map(str::to_owned));
    let own = OWN_FILES.iter().map(|name| (*name).to_owned());
    // A plan that somebody else wrote must not name files outside of the folder.
    let within = |name: &String| {
        Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
    };
    for name in sinks.chain(figures).chain(own).filter(|name| within(name) && name != SETUP) {
        remove(&out.join(name)).map_err(failed)?;
    }
    commit::discard(out).map_err(usage_of)?;
    let index = out.join("index");
    if index.exists() {
        fs::remove_dir_all(&index).map_err(failed)?;
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
    Ok(earlier.is_some())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A killed worker may leave half a line at the end of a table.
pub(super) fn cut_half_line(path: &Path) -> anyhow::Result<()> {
    let Ok(text) = regular::read(path, regular::TABLE) else { return Ok(()) };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        std::fs::write(path, &text[..whole])
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
