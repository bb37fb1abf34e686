//! Reading and compiling a program from its file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use sage_dsl::plan::Plan;
use sage_dsl::{Compiled, Diagnostic, Request, SourceMap};

use crate::catalog::catalog;
use crate::diagnostics;
use crate::exit::usage;

/// Programs are small; a larger file is something else.
const LARGEST: u64 = 1 << 20;

/// Compile the program in `path` with `sets` (`name=value`).
pub(crate) fn compile(path: &Path, sets: &[String]) -> anyhow::Result<Compiled> {
    compile_in(path, sets, &|name| std::env::var(name).ok())
}

/// The environment variables that the program in `path` reads and that are set.
pub(crate) fn variables(path: &Path, sets: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let read = RefCell::new(BTreeMap::new());
    compile_in(path, sets, &|name| {
        let value = std::env::var(name).ok()?;
        read.borrow_mut().insert(name.to_owned(), value.clone());
        Some(value)
    })?;
    Ok(read.into_inner())
}

fn compile_in(
    path: &Path,
    sets: &[String],
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Compiled> {
    let text = read(path).map_err(usage)?;
    let overrides = sets.iter().map(|set| split(set)).collect::<anyhow::Result<Vec<_>>>()?;
    let catalog = catalog();
    Ok(sage_dsl::compile(Request {
        path: &path.to_string_lossy(),
        text: &text,
        overrides: &overrides,
        env,
        load: &|path| read_import(Path::new(path)),
        catalog: &catalog,
    }))
}

fn split(set: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = set
        .split_once('=')
        .ok_or_else(|| usage(format!("--set {set}: expected NAME=VALUE, such as --set top_k=5")))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Text of a file that a program imports. It is named by a text that people pass on, so nothing is
/// opened that is no file, and no more is read than a program may have.
fn read_import(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err("it is a pipe or a device; a program is a file".to_owned());
    }
    let bytes = bounded(path).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes, and a program has at most that"));
    }
    String::from_utf8(bytes).map_err(|_| "stream did not contain valid UTF-8".to_owned())
}

/// The bytes of a file; of one that grew meanwhile one more than a program may have.
fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Text of the program in `path`, or what to do about it.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "; is the path right, seen from the current folder?",
            _ => "",
        };
        format!("cannot read `{shown}`: {error}{remedy}")
    })?;
    if metadata.is_dir() {
        return Err(format!("`{shown}` is a folder; name a .sage file in it"));
    }
    if metadata.len() > LARGEST {
        return Err(format!(
            "`{shown}` has {} bytes; a program has at most {LARGEST}",
            metadata.len()
        ));
    }
    if !metadata.is_file() {
        return Err(format!("`{shown}` is a pipe or a device; a program is a file"));
    }
    let bytes = bounded(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("`{shown}` is not UTF-8 (byte {at}); is it a .sage file?")
    })
}

/// Replaces the program in `path`, wholly or not at all, with the permissions it had.
pub(crate) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed =
        |error: std::io::Error| usage(format!("cannot write `{}`: {error}", path.display()));
    // A link stays one: what it points at is replaced.
    let path = path.canonicalize().map_err(failed)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let permissions = std::fs::metadata(&path).map_err(failed)?.permissions();
    file.as_file().set_permissions(permissions).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Show what the compiler found, on the standard error.
pub(crate) fn show(compiled: &Compiled) {
    show_all(&compiled.diagnostics, &compiled.sources);
}

/// Show diagnostics, on the standard error.
pub(crate) fn show_all(diagnostics: &[Diagnostic], sources: &SourceMap) {
    if !diagnostics.is_empty() {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        eprint!("{}", diagnostics::render(diagnostics, sources, colour));
    }
}

/// A sentence on a program with mistakes that have been shown.
pub(crate) fn mistakes(path: &Path, errors: usize) -> String {
    let plural = if errors == 1 { "" } else { "s" };
    format!("`{}` has {errors} mistake{plural}", path.display())
}

/// Compile, show what was found, and give the one flow that is meant.
pub(crate) fn one_plan(path: &Path, sets: &[String], flow: Option<&str>) -> anyhow::Result<Plan> {
    compiled_plan(path, sets, flow).map(|(_, plan)| plan)
}

/// The same, with what is left of the program: its other plans, its data and its text.
pub(crate) fn compiled_plan(
    path: &Path,
    sets: &[String],
    flow: Option<&str>,
) -> anyhow::Result<(Compiled, Plan)> {
    let mut compiled = compile(path, sets)?;
    show(&compiled);
    let errors = compiled.diagnostics.iter().filter(|found| found.is_error()).count();
    if errors > 0 {
        return Err(usage(mistakes(path, errors)));
    }
    let names: Vec<_> = compiled.plans.iter().map(|plan| plan.name.clone()).collect();
    if let [first, ..] = &compiled.experiments[..] {
        eprintln!(
            "note: this is a flow of `{shown}`; its experiments, such as `{}`, are run by `sage-flow \
             experiment run {shown}`",
            first.name,
            shown = path.display()
        );
    }
    let chosen = match flow {
        Some(name) => compiled.plans.iter().position(|plan| plan.name == name),
        None if compiled.plans.len() > 1 => {
            let all = names.join(", ");
            return Err(usage(format!(
                "`{}` has several flows ({all}); choose one with --flow",
                path.display()
            )));
        }
        None => (!compiled.plans.is_empty()).then_some(0),
    };
    let plan = chosen.map(|at| compiled.plans.swap_remove(at));
    let plan = plan.ok_or_else(|| match flow {
        Some(name) => {
            usage(format!("`{}` has no flow `{name}`; it has {}", path.display(), names.join(", ")))
        }
        None => usage(format!("`{}` has no flow", path.display())),
    })?;
    Ok((compiled, plan))
}
