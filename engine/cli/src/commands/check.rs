//! `check`: all mistakes of programs, without running them.

use crate::args::{CheckArguments, Format};
use crate::exit::Exit;
use crate::program;

pub(crate) fn check(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let mut errors = 0;
    let mut found = Vec::new();
    for file in &arguments.files {
        let mut compiled = program::compile(file, &arguments.sets)?;
        let mut right = Vec::new();
        for plan in &compiled.plans {
            if let Err(error) = crate::run::probe(plan) {
                errors += 1;
                match arguments.format {
                    Format::Text => eprintln!("error: {}: {error:#}", file.display()),
                    Format::Json => found.push(serde_json::json!({
                        "file": file, "severity": "error", "message": format!("{error:#}"),
                    })),
                }
            } else {
                right.push((plan.name.clone(), plan.stages().count()));
            }
        }
        errors += compiled.diagnostics.iter().filter(|found| found.is_error()).count();
        match arguments.format {
            Format::Text => {
                program::show(&compiled);
                for (name, stages) in right {
                    println!("{}: flow {name} is right, stages: {stages}", file.display());
                }
            }
            Format::Json => {
                for diagnostic in compiled.diagnostics.drain(..) {
                    let span = diagnostic.span();
                    let path = span.map(|span| compiled.sources.path(span).to_owned());
                    let place = span.map(|span| compiled.sources.line_column(span));
                    let mut value = serde_json::to_value(&diagnostic)?;
                    if let Some(object) = value.as_object_mut() {
                        object.insert("file".into(), path.into());
                        object.insert("line".into(), place.map(|(line, _)| line).into());
                        object.insert("column".into(), place.map(|(_, column)| column).into());
                    }
                    found.push(value);
                }
            }
        }
    }
    if arguments.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    }
    Ok(if errors == 0 { Exit::Complete } else { Exit::Usage })
}
