//! What an experiment leaves beside its runs: figures for programs, tables and words for people.
//!
//! | file | what |
//! |---|---|
//! | `metrics.json` | [`Results`], by the schema in `experiments/metrics.schema.json` |
//! | `tasks.csv` | the tasks of all runs with their coordinates, if there are not too many |
//! | `summary.txt` | every figure asked for with its interval, verdicts, notes |
//! | `comparison.txt` | the best of each column, differences to the baseline |
//! | `tables.tex` | tables as the plan has them |
//! | `*.png`, `*.svg`, `report.html` | pictures, and everything on one page |

pub(crate) mod blocks;
mod comparison;
mod json;
mod summary;
mod table;
mod tasks;
mod tex;

use std::fs;
use std::path::Path;

use crate::LabError;
use crate::files;
use crate::page;
use crate::plots;
use crate::results::{Results, TASKS};

pub use tasks::MOST_ROWS;

pub(crate) use table::lines;

/// File of the results.
pub const METRICS: &str = "metrics.json";
/// File of the summary.
pub const SUMMARY: &str = "summary.txt";

/// Write every output of `results` into `folder`, in which the runs lie; gives the files' names.
pub fn write(results: &Results, folder: &Path) -> Result<Vec<String>, LabError> {
    let mut names = write_texts(results, folder)?;
    remove_pictures(folder)?;
    let table = |run: &str| Some(folder.join(run).join(TASKS)).filter(|path| path.is_file());
    let pictures = plots::draw(results, &table, folder)?;
    page::write(results, &pictures, folder)?;
    let files = |name: &String| ["png", "svg"].map(|kind| format!("{name}.{kind}"));
    names.extend(pictures.iter().flat_map(files));
    names.push("report.html".to_owned());
    Ok(names)
}

/// The same without pictures and page.
pub fn write_texts(results: &Results, folder: &Path) -> Result<Vec<String>, LabError> {
    files::write(&folder.join(METRICS), json::text(results, folder)?.as_bytes())?;
    let mut names = vec![METRICS.to_owned()];
    let rows = tasks::combine(results, folder)?;
    names.extend(rows.is_ok().then(|| "tasks.csv".to_owned()));
    for (name, text) in [
        (SUMMARY, summary::text(results, rows)),
        ("comparison.txt", comparison::text(results)),
        ("tables.tex", tex::text(results)),
    ] {
        files::write(&folder.join(name), text.as_bytes())?;
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Remove the pictures of an earlier report: one that is no longer drawn would be out of date.
fn remove_pictures(folder: &Path) -> Result<(), LabError> {
    let entries = fs::read_dir(folder).map_err(LabError::file("read", folder))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|kind| kind == "png" || kind == "svg") {
            fs::remove_file(&path).map_err(LabError::file("remove", &path))?;
        }
    }
    Ok(())
}

/// The results that were written into `folder`.
pub fn read(folder: &Path) -> Result<Results, LabError> {
    let path = folder.join(METRICS);
    let results: Results = files::read_json(&path)?;
    if results.schema != crate::results::SCHEMA {
        let reason = format!(
            "it is of version {}, not {}: make the report anew",
            results.schema,
            crate::results::SCHEMA
        );
        return Err(LabError::content(&path, reason));
    }
    Ok(results)
}

/// The verdicts and tables of `results` as in `summary.txt`, for the end of a run.
pub fn short(results: &Results) -> String {
    summary::short(results)
}
