//! Programs of the machine that a pipeline runs (`exec`): only with permission, and only if they are
//! there.
//!
//! A pipeline is a text that people pass on. What it can do is bounded by the language, except for
//! this, so it is the person at the command line who says that it may.

use std::path::{Path, PathBuf};

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
        let words = shell_words::split(command).unwrap_or_default();
        let program = words.first().map_or("", String::as_str);
        if !others && found(program).is_none() {
            let remedy = if program.contains('/') {
                "its path is relative to the folder the command is given in"
            } else {
                "it is in none of the folders of PATH"
            };
            return Err(usage(format!("{place}: there is no program `{program}`; {remedy}")));
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

/// The file that a name of a program means.
fn found(program: &str) -> Option<PathBuf> {
    let executable = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| executable(path));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| executable(path))
}
