//! `explain`: the plan of a program as a tree, or the page of an error code.

use std::path::Path;

use sage_dsl::plan::Plan;

use super::hints;
use crate::args::ExplainArguments;
use crate::exit::{Exit, usage};
use crate::program;
use crate::twin::{self, Unknown, Workshop};

pub(crate) fn explain(arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let what = &arguments.what;
    let is_code = what.len() == 5
        && what.starts_with(['S', 's'])
        && what[1..].bytes().all(|byte| byte.is_ascii_digit());
    if is_code {
        if arguments.predict || arguments.twin.is_given() {
            return Err(usage(
                "these options are of a prediction, and a code has none; give a file",
            ));
        }
        let code = what.to_uppercase();
        let known = sage_dsl::CODES.iter().find(|known| known.code == code);
        let known = known.ok_or_else(|| usage(format!("there is no code {code}")))?;
        print!("{}", super::code_page::plain(known));
        return Ok(Exit::Complete);
    }
    let compiled = program::compile(Path::new(what), &arguments.sets)?;
    program::show(&compiled);
    if compiled.diagnostics.iter().any(sage_dsl::Diagnostic::is_error) {
        return Ok(Exit::Usage);
    }
    if !arguments.predict && arguments.twin.is_given() {
        return Err(usage("these options are of a prediction; add --predict"));
    }
    if arguments.predict {
        return predict(Path::new(what), compiled.plans, arguments);
    }
    for experiment in &compiled.experiments {
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(experiment)?);
        } else {
            print!("{}", sage_dsl::explain_experiment(experiment));
        }
    }
    for (at, plan) in compiled.plans.iter().enumerate() {
        if let Some(written) = compiled.written.get(at).filter(|_| arguments.verbose) {
            print!("{}", sage_dsl::explain_rewrites(written));
        }
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(plan)?);
        } else {
            print!("{}", sage_dsl::explain(plan));
            println!("task: {} record(s)", sage_dataflow::morsel(plan));
            let touches = sage_dsl::explain_touches(plan);
            if !touches.is_empty() {
                print!("touches\n{touches}");
            }
        }
    }
    Ok(Exit::Complete)
}

/// Each flow for itself, with what the twin predicts of it.
fn predict(file: &Path, plans: Vec<Plan>, arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let mut workshop = Workshop::new()?;
    for plan in plans {
        let run = arguments.twin.of_plans(vec![(file.to_owned(), plan)])?;
        hints::show(&run, &arguments.twin);
        let worked = workshop.model(&run).map_err(Unknown::as_usage)?;
        let course = twin::run(&run, &worked, &[])?;
        let Some(job) = run.jobs.first() else { continue };
        if arguments.json {
            for report in twin::reports(&run, &worked, &course)? {
                let found = twin::as_json(&report.metrics, &worked, &course);
                println!("{}", serde_json::to_string_pretty(&found)?);
            }
        } else {
            print!("{}", twin::annotated(&job.plan, &run, &worked, &course));
            let notes = worked.jobs.iter().flat_map(|job| &job.notes);
            notes.for_each(|note| println!("note: {note}"));
        }
    }
    Ok(Exit::Complete)
}
