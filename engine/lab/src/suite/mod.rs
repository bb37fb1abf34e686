//! A suite: all trials of an experiment on one backend, in one folder, interrupted or not.
//!
//! ```text
//! FOLDER/suite.json                  what is run, complete: a report needs nothing else
//! FOLDER/setup.json                  machine, commit, versions, seed, all parameters
//! FOLDER/runs/TRIAL/ended.json       written last: the trial has ended, and how
//! FOLDER/runs/TRIAL/JOB/metrics.json ...
//! ```
//!
//! A trial counts as finished only when `ended.json` says so and the figures of all its jobs can be
//! read; anything else is removed and run again. So a suite that was stopped, even by a power cut,
//! goes on with the first trial that is missing.

mod losses;
mod marker;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sage_dsl::experiment::{Backend as Place, Experiment};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::LabError;
use crate::files;
use crate::trial::{Backend, Design, Overrides, Trial, TrialError, shuffled};

pub(crate) use losses::Losses;
pub use marker::{Ended, Outcome};

/// What [`Suite::differs`] says of other plans from the same programs, or of other data.
pub const CHANGED_INPUT: &str = "a file that it reads, or a variable of the environment,";
/// Version of `suite.json`.
const SCHEMA: u32 = 1;
/// What is run.
pub const SUITE: &str = "suite.json";
/// On what it is run, for readers.
pub const SETUP: &str = "setup.json";
/// Folder of the trials.
pub const RUNS: &str = "runs";

/// What is run, and everything a report needs to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suite {
    /// Version of this shape.
    pub schema: u32,
    /// The experiment.
    pub experiment: Experiment,
    /// Where it runs.
    pub backend: Place,
    /// Whether it is the quick form.
    pub quick: bool,
    /// What the command line changed.
    pub overrides: Overrides,
    /// Checksum of every program file, by path.
    pub sources: BTreeMap<String, String>,
    /// Checksum of everything else it is made of, by name: compiled plans, files that are read.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Which build of the program runs it.
    pub build: String,
    /// Machine, commit, versions, seed, parameters.
    pub setup: Value,
    /// Names of the dimensions, in order.
    pub dimensions: Vec<String>,
    /// The trials, repeat by repeat.
    pub trials: Vec<Trial>,
    /// What the reader should know of the design.
    pub notes: Vec<String>,
}

/// How a trial ended, and the figures of each of its jobs if it has a result.
pub type Finished = (Ended, Vec<Map<String, Value>>);

/// How far a suite came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Course {
    /// Trials that have a result, those of an earlier start included.
    pub done: usize,
    /// Those of them that were there already.
    pub kept: usize,
    /// Trials that failed: identity and reason.
    pub failed: Vec<(String, String)>,
    /// Trials that this backend cannot run: identity and reason.
    pub not_possible: Vec<(String, String)>,
    /// Trials that were run again because the result of an earlier start cannot be read: identity
    /// and reason.
    pub unreadable: Vec<(String, String)>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

/// Is told what happens, and may stop it.
pub trait Watcher {
    /// Trial number `number` of `of`, from 1, begins.
    fn begins(&mut self, number: usize, of: usize, trial: &Trial);

    /// It has ended.
    fn ended(&mut self, trial: &Trial, ended: &Ended);

    /// Whether to stop before the next trial.
    fn stop(&self) -> bool {
        false
    }
}

impl Suite {
    /// A suite of the trials of `design`, to be run by `build` on the machine of `setup`.
    pub fn new(experiment: Experiment, backend: Place, design: Design) -> Suite {
        Suite {
            schema: SCHEMA,
            experiment,
            backend,
            quick: false,
            overrides: Overrides::default(),
            sources: BTreeMap::new(),
            inputs: BTreeMap::new(),
            build: String::new(),
            setup: Value::Null,
            dimensions: design.dimensions,
            trials: design.trials,
            notes: design.notes,
        }
    }

    /// The suite in `folder`, if there is one.
    pub fn open(folder: &Path) -> Result<Option<Suite>, LabError> {
        let path = folder.join(SUITE);
        if !path.exists() {
            return Ok(None);
        }
        let suite: Suite = files::read_json(&path)?;
        if suite.schema != SCHEMA {
            let reason = format!("it is of version {}, not {SCHEMA}: run it anew", suite.schema);
            return Err(LabError::content(&path, reason));
        }
        Ok(Some(suite))
    }

    /// What stands against going on with `earlier` as if it were this suite.
    pub fn differs(&self, earlier: &Suite) -> Option<&'static str> {
        // As it would be read again: the last digit of a number may change on the way.
        let text = serde_json::to_string(self).unwrap_or_default();
        let Ok(this) = serde_json::from_str::<Suite>(&text) else {
            return Some("something that cannot be written down");
        };
        this.differs_as_read(earlier)
    }

    fn differs_as_read(&self, earlier: &Suite) -> Option<&'static str> {
        let pairs = [
            (self.backend != earlier.backend, "the backend"),
            (self.experiment != earlier.experiment, "the experiment"),
            (self.sources != earlier.sources, "a program of it"),
            (self.trials != earlier.trials, "its settings"),
            (self.overrides != earlier.overrides, "its settings"),
            (self.inputs != earlier.inputs, CHANGED_INPUT),
            (self.build != earlier.build, "the build of sage-flow"),
        ];
        pairs.into_iter().find(|(differs, _)| *differs).map(|(_, what)| what)
    }

    /// Write down in `folder` what will be run.
    pub fn begin(&self, folder: &Path) -> Result<(), LabError> {
        let runs = folder.join(RUNS);
        fs::create_dir_all(&runs).map_err(LabError::file("create", &runs))?;
        files::write_json(&folder.join(SETUP), &self.setup)?;
        files::write_json(&folder.join(SUITE), self)
    }

    /// Folder of a trial in that of its suite.
    pub fn run_folder(folder: &Path, trial: &Trial) -> PathBuf {
        folder.join(RUNS).join(&trial.id)
    }

    /// How `trial` ended, if it did and its figures are there: those of each job.
    pub fn finished(folder: &Path, trial: &Trial) -> Result<Option<Finished>, LabError> {
        Ok(Suite::look(folder, trial).unwrap_or_default())
    }

    /// The same; an error where it ended with a result that cannot be read: such a trial is not
    /// done, and [`Suite::run`] runs it again.
    pub(crate) fn look(folder: &Path, trial: &Trial) -> Result<Option<Finished>, LabError> {
        let run = Suite::run_folder(folder, trial);
        let Some(ended) = Ended::read(&run)? else { return Ok(None) };
        if ended.outcome != Outcome::Done {
            return Ok(Some((ended, Vec::new())));
        }
        let metrics = trial.jobs.iter().map(|job| marker::metrics(&run.join(&job.name)));
        Ok(Some((ended, metrics.collect::<Result<Vec<_>, _>>()?)))
    }

    /// Trials that ended with a result that cannot be read: identity, and what is wrong with it.
    pub fn unreadable(&self, folder: &Path) -> Vec<(String, String)> {
        let wrong = |trial: &Trial| {
            let why = Suite::look(folder, trial).err()?;
            Some((trial.id.clone(), why.to_string()))
        };
        self.trials.iter().filter_map(wrong).collect()
    }

    /// Whether every trial has been run.
    pub fn complete(&self, folder: &Path) -> Result<bool, LabError> {
        for trial in &self.trials {
            if Suite::finished(folder, trial)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Run what has no result yet. A trial that fails is noted and the others go on; one that the
    /// user interrupts leaves nothing, and the suite stops.
    pub fn run(
        &self,
        folder: &Path,
        backend: &mut dyn Backend,
        watcher: &mut dyn Watcher,
    ) -> Result<Course, LabError> {
        let mut course = Course::default();
        let of = self.trials.len();
        for (number, index) in (1..).zip(shuffled(&self.trials)) {
            let trial = &self.trials[index];
            // What failed is tried again: the reason may have gone.
            match Suite::look(folder, trial) {
                Ok(Some((ended, _))) if ended.outcome == Outcome::Done => {
                    course.done += 1;
                    course.kept += 1;
                    continue;
                }
                Err(why) => course.unreadable.push((trial.id.clone(), why.to_string())),
                _ => {}
            }
            if watcher.stop() {
                course.interrupted = true;
                break;
            }
            watcher.begins(number, of, trial);
            let Some(ended) = one(folder, trial, backend)? else {
                course.interrupted = true;
                break;
            };
            watcher.ended(trial, &ended);
            let why = || (trial.id.clone(), ended.reason.clone().unwrap_or_default());
            match ended.outcome {
                Outcome::Done => course.done += 1,
                Outcome::Failed => course.failed.push(why()),
                Outcome::NotPossible => course.not_possible.push(why()),
            }
        }
        Ok(course)
    }
}

/// Run one trial; `None` when it was interrupted.
fn one(folder: &Path, trial: &Trial, backend: &mut dyn Backend) -> Result<Option<Ended>, LabError> {
    let run = Suite::run_folder(folder, trial);
    files::remove_folder(&run)?;
    fs::create_dir_all(&run).map_err(LabError::file("create", &run))?;
    let began = Instant::now();
    let result = backend.run(trial, &run).and_then(|()| {
        let mut jobs = trial.jobs.iter();
        jobs.try_for_each(|job| marker::sound(&run.join(&job.name), &job.name))?;
        marker::any_succeeded(&run, trial)
    });
    let seconds = began.elapsed().as_secs_f64();
    let ended = match result {
        Ok(()) => {
            for job in &trial.jobs {
                marker::keep_results(&run.join(&job.name))?;
            }
            Ended { outcome: Outcome::Done, reason: None, seconds }
        }
        Err(TrialError::Interrupted) => {
            files::remove_folder(&run)?;
            return Ok(None);
        }
        Err(TrialError::Failed(reason)) => {
            Ended { outcome: Outcome::Failed, reason: Some(reason), seconds }
        }
        Err(TrialError::NotPossible(reason)) => {
            Ended { outcome: Outcome::NotPossible, reason: Some(reason), seconds }
        }
    };
    ended.write(&run)?;
    Ok(Some(ended))
}
