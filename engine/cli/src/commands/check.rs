//! `check`: all mistakes of programs, without running them.

use std::path::PathBuf;

use sage_dsl::Diagnostic;
use sage_dsl::experiment::Experiment;
use sage_dsl::plan::Plan;
use sage_lab::results::Outcome;
use sage_lab::trial::{Overrides, expand};
use serde_json::{Value, json};

use super::{fix, hints};
use crate::args::{CheckArguments, Format};
use crate::data_files;
use crate::diagnostics;
use crate::exit::{Exit, usage, usage_of};
use crate::program;
use crate::twin::{self, Unknown, Workshop};

pub(crate) fn check(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    if !arguments.slo && arguments.twin.is_given() {
        return Err(usage("these options are of a prediction; add --slo"));
    }
    let mut errors = 0;
    let mut right_plans = Vec::new();
    let mut found = Vec::new();
    for file in &arguments.files {
        if arguments.fix {
            fix::fix(file, &arguments.sets)?;
        }
        let mut compiled = program::compile(file, &arguments.sets)?;
        let mut right = Vec::new();
        let missing = data_files::missing(&compiled);
        // What a plan lacks beside its data is looked at when that is there.
        let plans = if missing.is_empty() { compiled.plans.as_slice() } else { &[] };
        for plan in plans {
            if let Err(error) = crate::run::probe(plan) {
                errors += 1;
                match arguments.format {
                    Format::Text => eprintln!("error: {}: {error:#}", file.display()),
                    Format::Json => found.push(serde_json::json!({
                        "file": file, "severity": "error", "message": format!("{error:#}"),
                    })),
                }
            } else {
                hints::of_schedule(plan).iter().for_each(|hint| hints::warn(hint));
                right.push((plan.name.clone(), plan.stages().count()));
                right_plans.push((file.clone(), plan.clone()));
            }
        }
        compiled.diagnostics.extend(missing);
        compiled.diagnostics.sort_by_key(Diagnostic::span);
        errors += compiled.diagnostics.iter().filter(|found| found.is_error()).count();
        match arguments.format {
            Format::Text => {
                program::show(&compiled);
                for (name, stages) in right {
                    println!("{}: flow {name} is right, stages: {stages}", file.display());
                }
                for experiment in &compiled.experiments {
                    println!("{}: {}", file.display(), counted(experiment)?);
                }
            }
            Format::Json => {
                found.extend(diagnostics::as_json(&compiled.diagnostics, &compiled.sources));
            }
        }
    }
    let mut exit = if errors == 0 { Exit::Complete } else { Exit::Usage };
    if arguments.slo && exit == Exit::Complete {
        exit = objectives(right_plans, arguments, &mut found)?;
    }
    if arguments.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    }
    Ok(exit)
}

/// An experiment in a line: what there is of it.
fn counted(experiment: &Experiment) -> anyhow::Result<String> {
    let design = expand(experiment, false, &Overrides::default()).map_err(usage_of)?;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    Ok(format!(
        "experiment {} is right: {}, {}",
        experiment.name,
        count(design.trials.len(), "trial"),
        count(experiment.claims.len(), "claim")
    ))
}

/// What the twin predicts of the objectives of each flow for itself.
fn objectives(
    plans: Vec<(PathBuf, Plan)>,
    arguments: &CheckArguments,
    found: &mut Vec<Value>,
) -> anyhow::Result<Exit> {
    let mut workshop = Workshop::new()?;
    let mut exit = Exit::Complete;
    for (file, plan) in plans {
        let (shown, name) = (file.display().to_string(), plan.name.clone());
        if plan.slo.is_empty() {
            if arguments.format == Format::Text {
                println!("{shown}: flow {name} has no `slo` block: there is nothing to predict");
            }
            continue;
        }
        let run = arguments.twin.of_plans(vec![(file, plan)])?;
        hints::of_options(&run, &arguments.twin).iter().for_each(|hint| hints::warn(hint));
        let worked = workshop.model(&run).map_err(Unknown::as_usage)?;
        let course = twin::run(&run, &worked, &[])?;
        for report in twin::reports(&run, &worked, &course)? {
            if report.verdicts.iter().any(|verdict| verdict.outcome != Outcome::Holds) {
                exit = Exit::Incomplete;
            }
            match arguments.format {
                Format::Text => {
                    println!("{shown}: flow {name}, predicted by the {}:", twin::LABEL);
                    print!("{}", twin::verdict_lines(&report.verdicts));
                }
                Format::Json => found.push(json!({
                    "file": shown, "flow": name, "backend": "twin", "slo": report.verdicts,
                })),
            }
        }
    }
    Ok(exit)
}
