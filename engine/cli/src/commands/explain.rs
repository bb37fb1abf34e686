//! `explain`: the plan of a program as a tree, or the page of an error code.

use std::path::Path;

use crate::args::ExplainArguments;
use crate::exit::{Exit, usage};
use crate::program;

pub(crate) fn explain(arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let what = &arguments.what;
    let is_code = what.len() == 5
        && what.starts_with(['S', 's'])
        && what[1..].bytes().all(|byte| byte.is_ascii_digit());
    if is_code {
        let code = what.to_uppercase();
        let known = sage_dsl::CODES.iter().find(|known| known.code == code);
        let known = known.ok_or_else(|| usage(format!("there is no code {code}")))?;
        println!("{}: {}\n\n{}", known.code, known.title, known.explanation.trim());
        return Ok(Exit::Complete);
    }
    let compiled = program::compile(Path::new(what), &arguments.sets)?;
    program::show(&compiled);
    if compiled.diagnostics.iter().any(sage_dsl::Diagnostic::is_error) {
        return Ok(Exit::Usage);
    }
    for plan in &compiled.plans {
        if arguments.json {
            println!("{}", serde_json::to_string_pretty(plan)?);
        } else {
            print!("{}", sage_dsl::explain(plan));
            println!("task: {} record(s)", sage_dataflow::morsel(plan));
        }
    }
    Ok(Exit::Complete)
}
