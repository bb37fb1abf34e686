//! Data that a program names and that is not there: where it is named, and what there is instead.
//!
//! The compiler touches no files, so `check` and `run` look for them here and say the same.

use std::path::Path;

use sage_dsl::plan::Plan;
use sage_dsl::{Compiled, Diagnostic, InputFile};

use crate::exit::usage;
use crate::program;

/// Names of a folder that are looked at.
const MOST_NAMES: usize = 2_000;

/// What is to be said of data that is not there, all of it at once.
pub(crate) fn missing(compiled: &Compiled) -> Vec<Diagnostic> {
    compiled.inputs.iter().filter_map(|input| unreadable(compiled, input)).collect()
}

fn unreadable(compiled: &Compiled, input: &InputFile) -> Option<Diagnostic> {
    let error = std::fs::metadata(&input.path).err()?;
    let found = input.unreadable(&error.to_string());
    if let Ok(target) = std::fs::read_link(&input.path) {
        return Some(found.with_help(format!(
            "`{}` is a link that leads nowhere: `{}` is not there",
            input.path,
            target.display()
        )));
    }
    let near = (error.kind() == std::io::ErrorKind::NotFound).then(|| near(&input.path)).flatten();
    let Some((name, certain)) = near else { return Some(found) };
    let literal = compiled.sources.text(input.span);
    let wanted = Path::new(&input.path).file_name()?.to_string_lossy().into_owned();
    let inside = literal.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let meant = inside.and_then(|it| Some(format!("\"{}{name}\"", it.strip_suffix(&wanted)?)));
    let shown = meant.clone().unwrap_or_else(|| format!("\"{name}\""));
    Some(if certain {
        let help = format!("write `{shown}`: small and capital letters are different ones");
        match meant {
            Some(meant) => found.with_help(help).with_fix(input.span, meant),
            None => found.with_help(help),
        }
    } else {
        let help = found.help.clone().unwrap_or_default();
        found.with_help(format!("there is `{shown}`; {help}"))
    })
}

/// The name in the folder of `path` that was probably meant, and whether it is the same but for the
/// case of its letters.
fn near(path: &str) -> Option<(String, bool)> {
    let path = Path::new(path);
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.take(MOST_NAMES);
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    if let Some(same) = names.iter().find(|name| name.eq_ignore_ascii_case(&wanted)) {
        return Some((same.clone(), true));
    }
    let stem = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    let is_program = |name: &str| Path::new(name).extension().is_some_and(|it| it == "sage");
    let packed_or_other = |name: &&String| stem(name) == stem(&wanted) && !is_program(name);
    if let Some(other) = names.iter().find(packed_or_other) {
        return Some((other.clone(), false));
    }
    let distance = |name: &String| strsim::damerau_levenshtein(name, &wanted);
    let closest = names.into_iter().map(|name| (distance(&name), name)).min()?;
    (closest.0 <= 2 && closest.0 < wanted.len() / 2).then_some((closest.1, false))
}

/// As [`program::one_plan`], for who needs its data.
pub(crate) fn one_plan(path: &Path, sets: &[String], flow: Option<&str>) -> anyhow::Result<Plan> {
    let (compiled, plan) = program::compiled_plan(path, sets, flow)?;
    let alone = compiled.plans.is_empty();
    let source = plan.source().map(|source| format!("source `{}`", source.name));
    // Data of another flow of the file is not needed.
    let of_plan = |input: &&InputFile| alone || source.as_ref() == Some(&input.reader);
    let needed = compiled.inputs.iter().filter(of_plan);
    let found = needed.filter_map(|it| unreadable(&compiled, it));
    let mut missing: Vec<Diagnostic> = found.collect();
    missing.sort_by_key(Diagnostic::span);
    if missing.is_empty() {
        return Ok(plan);
    }
    program::show_all(&missing, &compiled.sources);
    Err(usage(program::mistakes(path, missing.len())))
}
