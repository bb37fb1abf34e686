//! A part: one experiment on one backend, from its folder to its report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use sage_dsl::experiment::Backend as Place;
use sage_lab::results::{Results, gather};
use sage_lab::suite::{CHANGED_INPUT, Outcome, Suite};
use sage_lab::trial::{Backend, Overrides, Trial, expand};
use sage_lab::{LabError, outputs};
use serde_json::{Value, json};

use super::folder::{self, Folder};
use super::sim::{DRAIN, ProcessBackend};
use super::watch::Display;
use super::{Found, inputs, machine};
use crate::exit::{usage, usage_of};
use crate::run::Interrupts;
use crate::twin::TwinBackend;

/// What is asked of a part, besides the experiment.
pub(crate) struct Request<'a> {
    pub(crate) place: Place,
    pub(crate) quick: bool,
    pub(crate) overrides: &'a Overrides,
    /// Its folder, if one was named.
    pub(crate) out: Option<&'a Path>,
    pub(crate) fresh: bool,
    pub(crate) machine: Option<&'a str>,
    /// Whether plots and the page are made.
    pub(crate) pictures: bool,
    pub(crate) quiet: bool,
    /// Whether its flows may run programs of this machine.
    pub(crate) allow_exec: bool,
    /// Hosts that its flows may speak to.
    pub(crate) allow_http: &'a [String],
}

/// What became of a part.
pub(crate) struct Part {
    pub(crate) experiment: String,
    pub(crate) place: Place,
    pub(crate) status: Status,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) results: Option<Results>,
    /// Trials in all, and those with a result.
    pub(crate) trials: usize,
    pub(crate) done: usize,
    pub(crate) seconds: f64,
}

/// How a part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// Every trial has a result.
    Complete,
    /// Every trial that is possible here has a result, and some are not.
    Partial(String),
    /// Some trial, or all of it, has none.
    Failed(String),
    /// The experiment does not run on this backend.
    Skipped(String),
    /// The user stopped it.
    Interrupted,
}

impl Status {
    /// In one word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Partial(_) => "partial",
            Status::Failed(_) => "failed",
            Status::Skipped(_) => "skipped",
            Status::Interrupted => "interrupted",
        }
    }
}

/// The suite that a request comes to.
pub(crate) fn suite(found: &Found, request: &Request<'_>) -> anyhow::Result<Suite> {
    let experiment = &found.experiment;
    let design = expand(experiment, request.quick, request.overrides).map_err(usage_of)?;
    inputs::check_traces(&design.trials)?;
    let host = machine::host(request.machine);
    let mut setup = machine::describe(&host, Path::new(&experiment.file));
    let trials = &design.trials;
    for (name, value) in [
        ("experiment", json!(experiment.name)),
        ("file", json!(experiment.file)),
        ("backend", json!(request.place.as_str())),
        ("quick", json!(request.quick)),
        ("seed", json!(trials.first().map(|trial| trial.seed))),
        ("repeats", json!(trials.iter().map(|trial| trial.repeat + 1).max())),
        ("trials", json!(trials.len())),
        ("sources", json!(found.sources)),
        ("overrides", json!(request.overrides)),
        ("parameters", json!(experiment)),
    ] {
        setup.insert(name.into(), value);
    }
    let mut suite = Suite::new(experiment.clone(), request.place, design);
    suite.quick = request.quick;
    suite.overrides = request.overrides.clone();
    suite.sources.clone_from(&found.sources);
    suite.build = machine::build();
    suite.setup = Value::Object(setup);
    if cfg!(debug_assertions) && request.place != Place::Twin {
        suite.notes.push("a debug build: times are longer than those of a release build".into());
    }
    Ok(suite)
}

/// Run it; errors are those that keep it from beginning.
pub(crate) fn run(found: &Found, request: &Request<'_>) -> anyhow::Result<Part> {
    let began = Instant::now();
    let experiment = &found.experiment;
    let mut part = Part {
        experiment: experiment.name.clone(),
        place: request.place,
        status: Status::Complete,
        folder: None,
        results: None,
        trials: 0,
        done: 0,
        seconds: 0.0,
    };
    if !experiment.backends.is_empty() && !experiment.backends.contains(&request.place) {
        let places: Vec<_> = experiment.backends.iter().map(|place| place.as_str()).collect();
        part.status = Status::Skipped(format!("it runs on {} only", places.join(", ")));
        return Ok(part);
    }
    let mut suite = suite(found, request)?;
    suite.inputs = inputs::of(&suite.trials, &suite.overrides);
    if let Some(setup) = suite.setup.as_object_mut() {
        setup.insert("inputs".into(), json!(suite.inputs));
    }
    part.trials = suite.trials.len();
    let host = machine::host(request.machine);
    let folder = folder::claim(&suite, request.out, &host, request.fresh)?;
    if folder.resumed
        && let Some(earlier) = Suite::open(&folder.path)?
    {
        // The machine and the time are those of the beginning.
        suite = earlier;
    } else {
        suite.begin(&folder.path)?;
    }
    announce(&suite, &folder, request);
    crate::jobs::begin([experiment.name.as_str()], [folder.path.as_path()], DRAIN);
    let interrupts = Interrupts::listen()?;
    // A trial in virtual time may take a while, and has no processes.
    interrupts.second_is_last(request.place == Place::Twin);
    let mut display = Display::new(request.quiet, interrupts);
    let course = suite.run(&folder.path, backend(request)?.as_mut(), &mut display);
    display.finish();
    let course = course?;
    if !request.quiet {
        for (trial, why) in &course.unreadable {
            eprintln!("  {trial} was run again, since its result cannot be read: {why}");
        }
    }
    part.done = course.done;
    part.folder = Some(folder.path.clone());
    part.seconds = began.elapsed().as_secs_f64();
    if course.interrupted {
        part.status = Status::Interrupted;
        return Ok(part);
    }
    let results = report(&suite, &folder.path, request.pictures)?;
    part.status = match (&course.failed[..], &course.not_possible[..]) {
        ([(trial, reason), ..], not_possible) => {
            let also = match not_possible.len() {
                0 => String::new(),
                count => format!(", {count} are not possible there"),
            };
            Status::Failed(format!(
                "{} of {} trials failed{also}; first {trial}: {reason}",
                course.failed.len(),
                suite.trials.len()
            ))
        }
        ([], [(_, reason), ..]) if course.done == 0 => {
            Status::Failed(format!("no trial is possible: {reason}"))
        }
        ([], [(trial, reason), ..]) => Status::Partial(format!(
            "{} of {} trials are not possible there, first {trial}: {reason}",
            course.not_possible.len(),
            suite.trials.len()
        )),
        _ => Status::Complete,
    };
    part.results = Some(results);
    part.seconds = began.elapsed().as_secs_f64();
    Ok(part)
}

fn is_done(folder: &Path, trial: &Trial) -> bool {
    let ended = Suite::finished(folder, trial).ok().flatten();
    ended.is_some_and(|(ended, _)| ended.outcome == Outcome::Done)
}

/// Trials of a suite that has been run whose results are not there: identity and reason. One that
/// failed has its reason for a result.
pub(crate) fn missing(suite: &Suite, folder: &Path) -> Vec<(String, String)> {
    let unreadable = suite.unreadable(folder);
    let reason = |trial: &Trial| {
        if let Some((_, why)) = unreadable.iter().find(|(id, _)| *id == trial.id) {
            return Some(format!("its result cannot be read: {why}"));
        }
        let ended = Suite::finished(folder, trial).ok().flatten();
        ended.is_none().then(|| "it was not run, or its folder was removed".to_owned())
    };
    suite.trials.iter().filter_map(|trial| Some((trial.id.clone(), reason(trial)?))).collect()
}

/// Write the outputs of a suite into its folder, with or without pictures.
pub(crate) fn report(suite: &Suite, folder: &Path, pictures: bool) -> Result<Results, LabError> {
    let results = gather(suite, folder)?;
    if pictures {
        outputs::write(&results, folder)?
    } else {
        outputs::write_texts(&results, folder)?
    };
    Ok(results)
}

fn backend(request: &Request<'_>) -> anyhow::Result<Box<dyn Backend>> {
    Ok(match request.place {
        Place::Twin => {
            let Overrides { cores, profile, .. } = request.overrides;
            Box::new(TwinBackend::new(*cores, profile.as_deref())?)
        }
        place => Box::new(ProcessBackend::new(
            place,
            request.allow_exec,
            request.allow_http,
            request.quiet,
        )?),
    })
}

fn announce(suite: &Suite, folder: &Folder, request: &Request<'_>) {
    if request.quiet {
        return;
    }
    let quick = if suite.quick { ", quick" } else { "" };
    let verb = if folder.resumed { "going on with" } else { "running" };
    let done = suite.trials.iter().filter(|trial| is_done(&folder.path, trial)).count();
    let done = if folder.resumed { format!(", {done} of them done") } else { String::new() };
    if let Some(stopped) = &folder.passed_over {
        eprintln!(
            "not going on with {}: {CHANGED_INPUT} changed since (its setup.json lists `inputs`)",
            stopped.display()
        );
    }
    eprintln!(
        "{verb} {} on {}{quick}: {} trials{done} -> {}",
        suite.experiment.name,
        request.place.as_str(),
        suite.trials.len(),
        folder.path.display()
    );
    suite.notes.iter().for_each(|note| eprintln!("  note: {note}"));
}

/// The folder of a part, if one was named for `parts` of them.
pub(crate) fn folder_of(
    out: Option<&Path>,
    parts: usize,
    experiment: &str,
    place: Place,
) -> Option<PathBuf> {
    out.map(|out| if parts == 1 { out.to_owned() } else { folder::within(out, experiment, place) })
}

/// The backends that `words` name; none is an error, and none named is `sim`.
pub(crate) fn places(words: &[String]) -> anyhow::Result<Vec<Place>> {
    let mut places = Vec::new();
    for word in words {
        let place = Place::parse(word.trim()).ok_or_else(|| {
            usage(format!("--on {word}: expected twin, sim or live, or several of them"))
        })?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}
