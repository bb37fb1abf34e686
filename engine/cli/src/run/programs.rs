//! Programs of the machine that a pipeline runs (`exec`): only with permission, and only if they are
//! there.
//!
//! A pipeline is a text that people pass on. What it can do is bounded by the language, except for
//! this, so it is the person at the command line who says that it may.

use std::path::Path;

use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::{Argument, Expr, Plan, StagePlan};
use sage_dsl::types::Value;

use super::{serving, web};
use crate::exit::usage;

/// The stages of a plan that run a program, each with its command.
fn programs(plan: &Plan) -> impl Iterator<Item = (&StagePlan, &str)> {
    plan.stages().filter(|stage| stage.calls == EndpointUse::Program).map(|stage| {
        let command = stage.args.iter().find_map(|(name, argument)| match argument {
            Argument::Expr(Expr::Literal(Value::String(text))) if name == "command" => Some(text),
            _ => None,
        });
        (stage, command.map_or("", String::as_str))
    })
}

/// Whether a plan runs programs.
pub(crate) fn runs_programs(plan: &Plan) -> bool {
    programs(plan).next().is_some()
}

/// Refuse a plan that runs programs without being `allowed` to, and one whose programs are not
/// there; on which hosts they would have to be nobody knows if it runs on `others`.
pub(super) fn check(plan: &Plan, allowed: bool, others: bool) -> anyhow::Result<()> {
    for (stage, command) in programs(plan) {
        let place = format!("stage `{}` (line {})", stage.name, stage.line);
        if !allowed {
            return Err(usage(format!(
                "{place} runs a program of this machine: `{command}`. It can do whatever you can; \
                 add --allow-exec if you trust it"
            )));
        }
        let words = shell_words::split(command).map_err(|_| {
            usage(format!("{place}: `{command}`: a quote is opened and never closed"))
        })?;
        let Some(program) = words.first().filter(|program| !program.is_empty()) else {
            let message = "the command names no program, it is empty; write one such as \
                           `python3 score.py`";
            return Err(usage(format!("{place}: {message}")));
        };
        if !others && let Err(remedy) = startable(program) {
            return Err(usage(format!("{place}: {remedy}")));
        }
    }
    Ok(())
}

/// Nobody can say beforehand how long a program takes and what it answers.
pub(crate) fn foreseeable(plan: &Plan) -> anyhow::Result<()> {
    serving::foreseeable(plan)?;
    web::foreseeable(plan)?;
    match programs(plan).next() {
        None => Ok(()),
        Some((stage, command)) => Err(usage(format!(
            "stage `{}` (line {}) runs `{command}`, and what a program answers and how long it \
             takes cannot be foretold; put `sleep` or `map` in its place to look at the rest",
            stage.name, stage.line
        ))),
    }
}

/// Whether a name of a program means one that can be started; if not, what is wrong.
fn startable(program: &str) -> Result<(), String> {
    let executable = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') || program == "." {
        let path = Path::new(program);
        return if executable(path) {
            Ok(())
        } else if path.is_dir() {
            Err(format!("`{program}` is a folder and no program"))
        } else if path.exists() {
            Err(format!(
                "`{program}` is not executable; `chmod +x {program}` makes it so, or name what \
                 reads it, as in `python3 {program}`"
            ))
        } else {
            Err(format!(
                "there is no program `{program}`; its path is relative to the folder the command \
                 is given in"
            ))
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&folders).any(|folder| executable(&folder.join(program))) {
        return Ok(());
    }
    Err(format!("there is no program `{program}`; it is in none of the folders of PATH"))
}
