//! `experiment report`: the outputs of a folder again, from what its runs left.

use std::path::{Path, PathBuf};

use sage_lab::outputs;
use sage_lab::suite::Suite;

use crate::exit::{Exit, usage, usage_of};
use crate::experiment;

/// Missing trials that are named one by one.
const TOLD: usize = 8;

pub(super) fn report(folders: &[PathBuf], quiet: bool) -> anyhow::Result<Exit> {
    let mut exit = Exit::Complete;
    for folder in folders {
        let suite = open(folder)?;
        let results = experiment::report(&suite, folder, true)?;
        if !quiet {
            println!("== {} on {}", suite.experiment.name, suite.backend.as_str());
            println!("{}", outputs::short(&results));
        }
        eprintln!("report written into {}", folder.display());
        if tell_missing(&suite, folder) {
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// Name the trials of `folder` without a result; whether there are any.
pub(super) fn tell_missing(suite: &Suite, folder: &Path) -> bool {
    let missing = experiment::missing(suite, folder);
    for (trial, why) in missing.iter().take(TOLD) {
        eprintln!("error: {}: {trial}: {why}", folder.display());
    }
    if missing.len() > TOLD {
        eprintln!("error: {}: {} more are missing", folder.display(), missing.len() - TOLD);
    }
    if !missing.is_empty() {
        eprintln!("the command that began it runs what is missing");
    }
    !missing.is_empty()
}

/// The suite of a folder, or what is wrong with the folder.
fn open(folder: &Path) -> anyhow::Result<Suite> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(usage(format!("`{shown}`: there is no such folder")));
    }
    let suite = Suite::open(folder).map_err(usage_of)?;
    suite.ok_or_else(|| {
        usage(format!(
            "`{shown}` holds no results of an experiment; name a folder such as \
             results/exp2b/2026-03-01-101010-node7-sim"
        ))
    })
}
