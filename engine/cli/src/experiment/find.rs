//! Where experiments are: in `.sage` files, usually those of the folder `experiments`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sage_dsl::experiment::Experiment;

use super::checksum::checksum;
use crate::exit::usage;
use crate::program;

/// Where experiments are looked for by name.
pub(crate) const FOLDER: &str = "experiments";

/// An experiment and the text of everything it is made of.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) experiment: Experiment,
    /// Checksum of every program file, by path.
    pub(crate) sources: BTreeMap<String, String>,
}

/// What a folder of programs holds.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    pub(crate) found: Vec<Found>,
    /// Files with mistakes: the file, and what was wrong.
    pub(crate) broken: Vec<(PathBuf, String)>,
}

/// The experiments of every `.sage` file in `folder`, by file.
pub(crate) fn programs(folder: &Path) -> anyhow::Result<Programs> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        usage(format!(
            "no experiments: cannot read the folder `{}`: {error}; name a file, or run it where \
             `{FOLDER}` is",
            folder.display()
        ))
    })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sage"));
    // Those of the plan come first, in its order.
    let of_plan = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("exp"))
    };
    paths.sort_by_cached_key(|path| (!of_plan(path), path.clone()));
    let mut programs = Programs::default();
    for path in paths {
        match of_file(&path) {
            Ok(found) => programs.found.extend(found),
            Err(error) => programs.broken.push((path, format!("{error:#}"))),
        }
    }
    Ok(programs)
}

/// The experiments of the file `path`; mistakes in it are shown.
fn of_file(path: &Path) -> anyhow::Result<Vec<Found>> {
    let compiled = program::compile(path, &[])?;
    if compiled.failed() {
        program::show(&compiled);
        let shown = path.display();
        return Err(usage(format!("`{shown}` has mistakes; see `sage-flow check {shown}`")));
    }
    let files = compiled.sources.files.iter();
    let sources: BTreeMap<String, String> =
        files.map(|file| (file.path.clone(), checksum(file.text.as_bytes()))).collect();
    let found = compiled.experiments.into_iter();
    Ok(found.map(|experiment| Found { experiment, sources: sources.clone() }).collect())
}

/// The experiments that `wanted` names: by name, by file, or `all` of the folder. Files with
/// mistakes are only told of when all are asked for, or when a name is not found.
pub(crate) fn find(wanted: &[String]) -> anyhow::Result<Programs> {
    let mut programs = Programs::default();
    let mut folder: Option<Programs> = None;
    let known = |folder: &mut Option<Programs>| -> anyhow::Result<()> {
        if folder.is_none() {
            *folder = Some(self::programs(Path::new(FOLDER))?);
        }
        Ok(())
    };
    for name in wanted {
        let path = Path::new(name);
        let is_file = path.extension().is_some_and(|extension| extension == "sage");
        if is_file {
            let found = of_file(path)?;
            if found.is_empty() {
                return Err(usage(format!("`{name}` has no experiment")));
            }
            programs.found.extend(found);
            continue;
        }
        known(&mut folder)?;
        let Some(folder) = &folder else { continue };
        if name == "all" {
            programs.found.extend(folder.found.iter().cloned());
            programs.broken.extend(folder.broken.iter().cloned());
            if folder.found.is_empty() && folder.broken.is_empty() {
                return Err(usage(format!("the folder `{FOLDER}` has no experiments")));
            }
            continue;
        }
        let named = folder.found.iter().filter(|found| found.experiment.name == *name);
        let named: Vec<&Found> = named.collect();
        match named[..] {
            [found] => programs.found.push(found.clone()),
            [] => return Err(unknown(name, folder)),
            [one, other, ..] => {
                return Err(usage(format!(
                    "two experiments are called `{name}`, in `{}` and `{}`; name the file",
                    one.experiment.file, other.experiment.file
                )));
            }
        }
    }
    // Named twice, run once.
    let mut seen = std::collections::HashSet::new();
    programs.found.retain(|found| {
        seen.insert((found.experiment.name.clone(), found.experiment.file.clone()))
    });
    Ok(programs)
}

fn unknown(name: &str, folder: &Programs) -> anyhow::Error {
    let names: Vec<&str> =
        folder.found.iter().map(|found| found.experiment.name.as_str()).collect();
    let near = names
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    let help = match near {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("the folder `{FOLDER}` has none"),
        None => format!("there are {}", names.join(", ")),
    };
    let broken = match &folder.broken[..] {
        [] => String::new(),
        broken => {
            let files: Vec<_> = broken.iter().map(|(path, _)| path.display().to_string()).collect();
            format!(" (not looked at because of mistakes: {})", files.join(", "))
        }
    };
    usage(format!("no experiment is called `{name}`; {help}{broken}"))
}
