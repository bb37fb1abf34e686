//! The end of a trial: the marker that says so, the look at its figures, the files that stay.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::losses::{LETTERS, Losses};
use crate::LabError;
use crate::files;
use crate::trial::{Trial, TrialError};

/// The marker's file.
const MARKER: &str = "ended.json";

/// What stays of a run: its figures, its tables and what it was. The files of its sinks, its index
/// and its paid answers go, since the next repeat makes the same again.
const KEPT: [&str; 8] = [
    "metrics.json",
    "setup.json",
    "plan.json",
    "summary.txt",
    "tasks.csv",
    "decisions.csv",
    "timeline.csv",
    LETTERS,
];

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// In one word.
    pub outcome: Outcome,
    /// Why it has no result.
    pub reason: Option<String>,
    /// Time it took, seconds of the wall clock.
    pub seconds: f64,
}

/// How a trial ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has a result.
    Done,
    /// It broke off.
    Failed,
    /// The backend cannot do it.
    NotPossible,
}

impl Ended {
    pub(super) fn read(run: &Path) -> Result<Option<Ended>, LabError> {
        let path = run.join(MARKER);
        if path.exists() { files::read_json(&path).map(Some) } else { Ok(None) }
    }

    pub(super) fn write(&self, run: &Path) -> Result<(), LabError> {
        files::write_json(&run.join(MARKER), self)
    }
}

/// Version of a run's `metrics.json` that is understood.
const SCHEMA: u64 = 1;

/// The figures of a run; an error says what is wrong with them.
pub(super) fn metrics(run: &Path) -> Result<Map<String, Value>, LabError> {
    let path = run.join("metrics.json");
    let metrics: Map<String, Value> = files::read_json(&path)?;
    match metrics.get("schema").and_then(Value::as_u64) {
        Some(SCHEMA) => Ok(metrics),
        Some(other) => {
            Err(LabError::content(&path, format!("it is of version {other}, not {SCHEMA}")))
        }
        None => Err(LabError::content(&path, "it is no figures of a run: it has no `schema`")),
    }
}

/// Whether a run that ended without an error has figures that may be counted.
pub(super) fn sound(run: &Path, job: &str) -> Result<(), TrialError> {
    let failed = |reason: String| TrialError::Failed(format!("job `{job}`: {reason}"));
    let metrics = metrics(run).map_err(|error| failed(error.to_string()))?;
    match metrics.get("status").and_then(Value::as_str) {
        Some("interrupted") => return Err(TrialError::Interrupted),
        Some("failed") => return Err(failed("the run failed".into())),
        _ => {}
    }
    match metrics.get("tasks_in").and_then(Value::as_u64) {
        // A run that never began must not be taken for a perfect one.
        None | Some(0) => Err(failed("no record came in".into())),
        Some(_) => Ok(()),
    }
}

/// Whether any record of a trial came to something. Late records alone are a result: of a deadline
/// that is too short for the load. Dead ones alone say that the program or the endpoint is broken,
/// and what was measured is how fast it breaks.
pub(super) fn any_succeeded(run: &Path, trial: &Trial) -> Result<(), TrialError> {
    let mut losses = Losses::default();
    for job in &trial.jobs {
        let folder = run.join(&job.name);
        let metrics = metrics(&folder).map_err(|error| TrialError::Failed(error.to_string()))?;
        losses.add(&metrics, &folder);
    }
    if losses.ok > 0 || losses.dead == 0 {
        return Ok(());
    }
    let why = losses.commonest().map_or(String::new(), |why| format!("; most often: {why}"));
    Err(TrialError::Failed(format!("no record succeeded: {}{why}", losses.counts())))
}

/// Remove from the folder of a run what is no result.
pub(super) fn keep_results(run: &Path) -> Result<(), LabError> {
    let entries = fs::read_dir(run).map_err(LabError::file("read", run))?;
    for entry in entries {
        let entry = entry.map_err(LabError::file("read", run))?;
        let (path, name) = (entry.path(), entry.file_name());
        // An empty list of dead letters says what `tasks_dead` says.
        let empty = name == LETTERS && entry.metadata().is_ok_and(|it| it.len() == 0);
        if !empty && KEPT.iter().any(|kept| name == *kept) {
            continue;
        }
        // A link is removed, never followed.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files::remove_folder(&path)?;
        } else {
            fs::remove_file(&path).map_err(LabError::file("remove", &path))?;
        }
    }
    Ok(())
}
