//! `tasks.csv`: the tasks of all runs, each with the coordinates of its run in front.
//!
//! Runs have different stages, so the columns are those of all of them, empty where a run has none.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use crate::LabError;
use crate::files;
use crate::results::{Results, Row, TASKS};

/// Most tasks that are put into one table; of more, every run keeps its own.
pub const MOST_ROWS: u64 = 100_000;

/// Write the table. Gives how many rows it has, or, as an error, how many it would have had if that
/// is too many.
pub(super) fn combine(results: &Results, folder: &Path) -> Result<Result<u64, u64>, LabError> {
    let path = folder.join(TASKS);
    let mut stages: Vec<String> = Vec::new();
    let mut rows = 0;
    for (_, _, tasks) in runs(results, folder) {
        let mut lines = BufReader::new(open(&tasks)?).lines();
        let head = lines.next().transpose().map_err(LabError::file("read", &tasks))?;
        for name in head.unwrap_or_default().split(',') {
            if !stages.iter().any(|have| have == name) {
                stages.push(name.to_owned());
            }
        }
        rows += lines.count() as u64;
    }
    if rows > MOST_ROWS {
        // One of an earlier report would be out of date.
        if path.exists() {
            std::fs::remove_file(&path).map_err(LabError::file("remove", &path))?;
        }
        return Ok(Err(rows));
    }
    let file = File::create(&path).map_err(LabError::file("write", &path))?;
    let mut out = BufWriter::new(file);
    let failed = || LabError::file("write", &path);
    let mut head: Vec<&str> = results.dimensions.iter().map(String::as_str).collect();
    head.extend((!results.dimensions.iter().any(|name| name == "job")).then_some("job"));
    head.extend(["alone", "repeat"]);
    head.extend(stages.iter().map(String::as_str));
    writeln!(out, "{}", head.join(",")).map_err(failed())?;
    for (row, repeat, tasks) in runs(results, folder) {
        let mut lines = BufReader::new(open(&tasks)?).lines();
        let own = lines.next().transpose().map_err(LabError::file("read", &tasks))?;
        let own: Vec<String> = own.unwrap_or_default().split(',').map(str::to_owned).collect();
        let places: Vec<_> =
            stages.iter().map(|name| own.iter().position(|have| have == name)).collect();
        let before = coordinates(results, row, repeat);
        for line in lines {
            let line = line.map_err(LabError::file("read", &tasks))?;
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |place: &Option<usize>| {
                place.and_then(|place| cells.get(place)).copied().unwrap_or_default()
            };
            let cells: Vec<&str> = places.iter().map(cell).collect();
            writeln!(out, "{before},{}", cells.join(",")).map_err(failed())?;
        }
    }
    out.flush().map_err(failed())?;
    Ok(Ok(rows))
}

/// Every table that is there, with its row and repeat.
fn runs<'r>(
    results: &'r Results,
    folder: &'r Path,
) -> impl Iterator<Item = (&'r Row, usize, std::path::PathBuf)> {
    let rows = results
        .rows
        .iter()
        .flat_map(|row| row.folders.iter().enumerate().map(move |run| (row, run)));
    rows.filter(|(_, (_, own))| !own.is_empty())
        .map(move |(row, (repeat, own))| (row, repeat, folder.join(own).join(TASKS)))
        .filter(|(_, _, tasks)| tasks.is_file())
}

fn open(path: &Path) -> Result<File, LabError> {
    files::open(path).map_err(LabError::file("read", path))
}

fn coordinates(results: &Results, row: &Row, repeat: usize) -> String {
    let labels = results.dimensions.iter();
    let mut cells: Vec<String> =
        labels.map(|name| quoted(row.label(name).unwrap_or_default())).collect();
    if !results.dimensions.iter().any(|name| name == "job") {
        cells.push(quoted(&row.job));
    }
    cells.push(row.solo.to_string());
    cells.push(repeat.to_string());
    cells.join(",")
}

/// A label may hold commas: `priority(aging: 5s, levels: 3)`.
fn quoted(label: &str) -> String {
    if label.contains([',', '"', '\n']) {
        format!("\"{}\"", label.replace('"', "\"\""))
    } else {
        label.to_owned()
    }
}
