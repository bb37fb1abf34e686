//! `experiment run`: one part after the other; one that fails is named and the others go on.

use std::path::PathBuf;

use clap::Args;
use sage_dsl::experiment::Backend as Place;
use sage_lab::outputs;
use sage_lab::results::Outcome;
use sage_lab::trial::Overrides;
use serde_json::{Value, json};

use super::hints;
use crate::exit::{Exit, usage};
use crate::experiment::{
    self, Changed, Found, Part, Programs, Request, Status, changed, folder_of, places,
};

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Names of experiments, files, or `all`
    #[arg(required = true, value_name = "NAME|FILE|all")]
    pub(super) what: Vec<String>,
    #[command(flatten)]
    pub(super) how: How,
}

/// Options of running.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct How {
    /// Backends: twin, sim, live, or several [default: sim, where the experiment runs on it]
    #[arg(long = "on", value_name = "BACKEND,...", value_delimiter = ',')]
    pub(super) places: Vec<String>,
    #[command(flatten)]
    pub(super) changed: Changed,
    /// Exit with 3 unless every claim holds; one that is not measurable does not
    #[arg(long)]
    pub(super) strict: bool,
    /// Show the trials and run nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// No plots and no report.html
    #[arg(long)]
    pub(super) no_pictures: bool,
    /// No progress and no tables
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print what became of every part as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Let flows run the programs that their `exec` stages name
    #[arg(long)]
    pub(super) allow_exec: bool,
    /// Let flows speak to this host (`http` stages, `http_get`, `http_post`); may be repeated
    #[arg(long = "allow-http", value_name = "HOST[:PORT]")]
    pub(super) allow_http: Vec<String>,
}

pub(super) fn run(what: &[String], how: &How) -> anyhow::Result<Exit> {
    let overrides = changed(&how.changed)?;
    let given = places(&how.places)?;
    let programs = experiment::find(what)?;
    let parts = parts(&programs.found, &given);
    if how.dry_run {
        return dry_run(&parts, how, &overrides);
    }
    // Named alone, an experiment that does not run there is a mistake; among all it is left out.
    if let ([(found, place)], false) = (&parts[..], what.iter().any(|name| name == "all")) {
        refuse(found, *place)?;
    }
    let all = run_parts(&parts, how, &overrides)?;
    finish(&all, &programs, how)
}

/// Every experiment on every backend.
fn parts<'f>(found: &'f [Found], given: &[Place]) -> Vec<(&'f Found, Place)> {
    let mut parts = Vec::new();
    for found in found {
        let allowed = &found.experiment.backends;
        let usual = match allowed.first() {
            Some(first) if !allowed.contains(&Place::Sim) => *first,
            _ => Place::Sim,
        };
        let places = if given.is_empty() { vec![usual] } else { given.to_vec() };
        parts.extend(places.into_iter().map(|place| (found, place)));
    }
    parts
}

fn refuse(found: &Found, place: Place) -> anyhow::Result<()> {
    let allowed = &found.experiment.backends;
    if allowed.is_empty() || allowed.contains(&place) {
        return Ok(());
    }
    let words: Vec<_> = allowed.iter().map(|place| place.as_str()).collect();
    Err(usage(format!(
        "experiment `{}` does not run on {}; use --on {}",
        found.experiment.name,
        place.as_str(),
        words.join(",")
    )))
}

/// Run all parts, in order. Stops when the user has had enough.
pub(super) fn run_parts(
    parts: &[(&Found, Place)],
    how: &How,
    overrides: &Overrides,
) -> anyhow::Result<Vec<Part>> {
    let mut all: Vec<Part> = Vec::new();
    for (found, place) in parts {
        let name = &found.experiment.name;
        let out = folder_of(how.changed.out.as_deref(), parts.len(), name, *place);
        let request = Request {
            place: *place,
            quick: how.changed.quick,
            overrides,
            out: out.as_deref(),
            fresh: how.changed.fresh,
            machine: how.changed.machine.as_deref(),
            pictures: !how.no_pictures,
            quiet: how.quiet || how.json,
            allow_exec: how.allow_exec,
            allow_http: &how.allow_http,
        };
        let nothing_quick = found.experiment.quick.is_empty()
            && found.experiment.quick_points.is_empty()
            && found.experiment.quick_repeat.is_none();
        if request.quick && nothing_quick && !request.quiet {
            eprintln!("note: `{name}` has no `quick` block, so all of it is run");
        }
        if !request.quiet {
            hints::warn(found, &request);
        }
        let part = match experiment::run(found, &request) {
            Ok(part) => part,
            // With nothing else to do, what is wrong is the answer.
            Err(error) if parts.len() == 1 => return Err(error),
            Err(error) => failed(name, *place, format!("{error:#}")),
        };
        show(&part, how);
        let stop = part.status == Status::Interrupted;
        all.push(part);
        if stop {
            break;
        }
    }
    Ok(all)
}

fn failed(name: &str, place: Place, reason: String) -> Part {
    Part {
        experiment: name.to_owned(),
        place,
        status: Status::Failed(reason),
        folder: None,
        results: None,
        trials: 0,
        done: 0,
        seconds: 0.0,
    }
}

fn show(part: &Part, how: &How) {
    if how.json {
        return;
    }
    if let (Some(results), false) = (&part.results, how.quiet) {
        let quick = if results.quick { ", quick" } else { "" };
        println!("\n== {} on {}{quick}", part.experiment, part.place.as_str());
        print!("{}", outputs::short(results));
    }
    match (&part.status, &part.folder) {
        (Status::Failed(reason), _) => {
            eprintln!("error: {} on {}: {reason}", part.experiment, part.place.as_str());
        }
        (Status::Skipped(reason), _) if !how.quiet => {
            eprintln!("skipped: {} on {}: {reason}", part.experiment, part.place.as_str());
        }
        (Status::Partial(reason), _) if !how.quiet => {
            eprintln!("partial: {} on {}: {reason}", part.experiment, part.place.as_str());
        }
        (Status::Interrupted, Some(folder)) => eprintln!(
            "interrupted: {} of {} trials are done; the same command goes on, and `sage-flow \
             experiment report {}` shows what is there",
            part.done,
            part.trials,
            folder.display()
        ),
        _ => {}
    }
}

/// Say how it went and what a script wants to know.
fn finish(all: &[Part], programs: &Programs, how: &How) -> anyhow::Result<Exit> {
    programs.broken.iter().for_each(|(_, reason)| eprintln!("error: {reason}"));
    if how.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({
                "parts": all.iter().map(described).collect::<Vec<_>>(),
                "broken": programs.broken.iter().map(|(path, why)| json!({"file": path, "reason": why})).collect::<Vec<_>>(),
            }))?
        );
    } else if !how.quiet {
        println!("\n{}", table(all));
    }
    let mut names: Vec<String> = all
        .iter()
        .filter(|part| matches!(part.status, Status::Failed(_)))
        .map(|part| format!("{} on {}", part.experiment, part.place.as_str()))
        .collect();
    names.extend(programs.broken.iter().map(|(path, _)| path.display().to_string()));
    if all.iter().any(|part| part.status == Status::Interrupted) {
        return Ok(Exit::Interrupted);
    }
    if !names.is_empty() {
        eprintln!("error: {} failed: {}", plural(names.len(), "part"), names.join(", "));
        return Ok(Exit::Failed);
    }
    let lost = all.iter().map(counted).map(|[_, fails, unknown]| fails + unknown);
    let lost = lost.sum::<usize>();
    if how.strict && lost > 0 {
        eprintln!("error: {} not hold (--strict)", plural_verb(lost));
        return Ok(Exit::Incomplete);
    }
    Ok(Exit::Complete)
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn plural_verb(count: usize) -> String {
    if count == 1 { "1 claim does".to_owned() } else { format!("{count} claims do") }
}

/// Claims that hold, fail, and cannot be measured.
fn counted(part: &Part) -> [usize; 3] {
    let claims = part.results.iter().flat_map(|results| &results.claims);
    claims.fold([0; 3], |mut counts, claim| {
        let at = match claim.outcome {
            Outcome::Holds => 0,
            Outcome::Fails => 1,
            Outcome::NotMeasurable => 2,
        };
        counts[at] += 1;
        counts
    })
}

fn table(all: &[Part]) -> String {
    let mut rows = vec![
        ["experiment", "on", "status", "trials", "claims", "time", "folder"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for part in all {
        let [holds, fails, unknown] = counted(part);
        let claims = match holds + fails + unknown {
            0 => "-".to_owned(),
            all => format!("{holds} of {all} hold"),
        };
        rows.push(vec![
            part.experiment.clone(),
            part.place.as_str().to_owned(),
            part.status.word().to_owned(),
            format!("{}/{}", part.done, part.trials),
            claims,
            format!("{:.1} s", part.seconds),
            part.folder.as_ref().map_or_else(|| "-".into(), |path| path.display().to_string()),
        ]);
    }
    super::list::lines(&rows)
}

fn described(part: &Part) -> Value {
    let (reason, results) = (
        match &part.status {
            Status::Failed(reason) | Status::Skipped(reason) | Status::Partial(reason) => {
                Some(reason)
            }
            _ => None,
        },
        part.results.as_ref(),
    );
    let claims = results.iter().flat_map(|results| &results.claims).map(|claim| {
        json!({
            "text": claim.text,
            "condition": claim.condition,
            "outcome": claim.outcome,
            "repeats": claim.repeats,
        })
    });
    json!({
        "experiment": part.experiment,
        "backend": part.place.as_str(),
        "figures": results.map(sage_lab::results::Results::label),
        "status": part.status.word(),
        "reason": reason,
        "folder": part.folder,
        "trials": part.trials,
        "done": part.done,
        "failed": results.map(|results| &results.failed),
        "claims": claims.collect::<Vec<_>>(),
        "seconds": part.seconds,
    })
}

fn dry_run(parts: &[(&Found, Place)], how: &How, overrides: &Overrides) -> anyhow::Result<Exit> {
    let mut shown: Vec<PathBuf> = Vec::new();
    for (found, place) in parts {
        refuse(found, *place)
            .or_else(|error| if parts.len() == 1 { Err(error) } else { Ok(()) })?;
        let request = Request {
            place: *place,
            quick: how.changed.quick,
            overrides,
            out: None,
            fresh: false,
            machine: how.changed.machine.as_deref(),
            pictures: false,
            quiet: true,
            allow_exec: how.allow_exec,
            allow_http: &how.allow_http,
        };
        let suite = experiment::suite(found, &request)?;
        let name = PathBuf::from(&found.experiment.name);
        if shown.contains(&name) {
            continue;
        }
        shown.push(name);
        hints::warn(found, &request);
        println!("{}: {}", found.experiment.name, plural(suite.trials.len(), "trial"));
        suite.trials.iter().for_each(|trial| println!("  {}", trial.id));
        suite.notes.iter().for_each(|note| println!("  note: {note}"));
    }
    Ok(Exit::Complete)
}
