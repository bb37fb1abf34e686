//! `experiment compare` and `experiment fidelity`: two results side by side.

use std::path::Path;

use anyhow::Context;
use sage_dsl::experiment::Backend as Place;
use sage_lab::compare::{Comparison, compare as set_beside};
use sage_lab::outputs::{self, METRICS};
use sage_lab::results::{Results, gather};
use sage_lab::suite::{RUNS, Suite};
use serde_json::json;

use super::report::tell_missing;
use super::run::{How, run_parts};
use crate::exit::{Exit, usage, usage_of};
use crate::experiment::{self, Part, Status, changed};

pub(super) fn compare(
    first: &Path,
    second: &Path,
    out: Option<&Path>,
    json: bool,
) -> anyhow::Result<Exit> {
    let comparison = comparison(first, second)?;
    if let Some(out) = out {
        std::fs::create_dir_all(out).with_context(|| format!("cannot make `{}`", out.display()))?;
        let path = out.join("comparison.txt");
        std::fs::write(&path, comparison.text())
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        if let Some(fidelity) = &comparison.fidelity {
            fidelity.write(out)?;
        }
    }
    show(&comparison, json)?;
    let mut exit = Exit::Complete;
    for folder in [first, second] {
        // Results may also be given away without their runs.
        if let (Ok(Some(suite)), true) = (Suite::open(folder), folder.join(RUNS).is_dir())
            && tell_missing(&suite, folder)
        {
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// The results of two folders side by side.
pub(crate) fn comparison(first: &Path, second: &Path) -> anyhow::Result<Comparison> {
    set_beside(&read(first)?, &read(second)?).map_err(usage_of)
}

fn show(comparison: &Comparison, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(comparison)?);
    } else {
        print!("{}", comparison.text());
    }
    Ok(())
}

/// The results of a folder: those that were written, or, of a suite that was stopped, those that are
/// there.
fn read(folder: &Path) -> anyhow::Result<Results> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(usage(format!("`{shown}`: there is no such folder")));
    }
    if folder.join(METRICS).is_file() {
        return outputs::read(folder).map_err(usage_of);
    }
    match Suite::open(folder).map_err(usage_of)? {
        Some(suite) => gather(&suite, folder).map_err(usage_of),
        None => Err(usage(format!("`{shown}` holds no results of an experiment"))),
    }
}

/// Every experiment on sim and on a twin of this machine. What is compared is what both can do.
pub(super) fn fidelity(what: &[String], how: &How) -> anyhow::Result<Exit> {
    if !how.places.is_empty() {
        return Err(usage("--on: `fidelity` always sets sim beside twin; leave it out"));
    }
    let mut overrides = changed(&how.changed)?;
    // The real nodes share the cores of this machine, so the twin's do.
    overrides.cores.get_or_insert(experiment::cores());
    let programs = experiment::find(what)?;
    if how.dry_run {
        return Err(usage("--dry-run: use `experiment run NAME --on sim,twin --dry-run`"));
    }
    let mut exit = Exit::Complete;
    let mut all = Vec::new();
    for found in &programs.found {
        let allowed = &found.experiment.backends;
        let both = [Place::Sim, Place::Twin].map(|place| (found, place));
        if let Some((_, place)) =
            both.iter().find(|(_, place)| !allowed.is_empty() && !allowed.contains(place))
        {
            eprintln!("skipped: {} does not run on {}", found.experiment.name, place.as_str());
            continue;
        }
        // The tables of both are in their folders; here only the comparison is shown.
        let mut quiet = how.clone();
        quiet.quiet = true;
        if let Some(out) = how.changed.out.as_deref()
            && programs.found.len() > 1
        {
            quiet.changed.out = Some(out.join(&found.experiment.name));
        }
        let parts = run_parts(&both, &quiet, &overrides)?;
        if parts.iter().any(|part| part.status == Status::Interrupted) {
            return Ok(Exit::Interrupted);
        }
        if parts.iter().any(|part| matches!(part.status, Status::Failed(_) | Status::Skipped(_))) {
            exit = Exit::Failed;
        }
        match beside(&parts)? {
            Some(comparison) if how.json => all.push(json!(comparison)),
            Some(comparison) => print!("\n{}", words(&comparison)),
            None => exit = Exit::Failed,
        }
    }
    if how.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    for (_, reason) in &programs.broken {
        eprintln!("error: {reason}");
        exit = Exit::Failed;
    }
    Ok(exit)
}

/// The fidelity alone, or all of it where there is none.
fn words(comparison: &Comparison) -> String {
    comparison
        .fidelity
        .as_ref()
        .map_or_else(|| comparison.text(), sage_lab::compare::Fidelity::text)
}

fn beside(parts: &[Part]) -> anyhow::Result<Option<Comparison>> {
    let [sim, twin] = parts else { return Ok(None) };
    let (Some(real), Some(model), Some(folder)) = (&sim.results, &twin.results, &twin.folder)
    else {
        return Ok(None);
    };
    let comparison = set_beside(real, model)?;
    if let Some(fidelity) = &comparison.fidelity {
        fidelity.write(folder)?;
        eprintln!("fidelity written into {}", folder.display());
    }
    Ok(Some(comparison))
}
