//! Two results of one experiment side by side: two backends, two commits, two machines.

mod fidelity;
mod tau;
mod text;

use std::path::Path;

use sage_dsl::experiment::Backend as Place;
use serde::Serialize;

use crate::LabError;
use crate::files;
use crate::results::{Results, Row, column};

pub use fidelity::{Fidelity, Miss, Ranking};
pub use tau::tau_b;

/// Two results, row by row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the experiment.
    pub experiment: String,
    /// What the first is, with its machine and date.
    pub first: String,
    /// What the second is.
    pub second: String,
    /// Rows that both have.
    pub rows: Vec<Pair>,
    /// Rows that only the first has, by their labels.
    pub only_first: Vec<String>,
    /// Rows that only the second has.
    pub only_second: Vec<String>,
    /// How good the twin is, when one is the twin and the other is not.
    pub fidelity: Option<Fidelity>,
}

/// A row of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Name of the job.
    pub job: String,
    /// Its labels.
    pub setting: String,
    /// By column.
    pub gaps: Vec<Gap>,
}

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// Name of the column.
    pub column: &'static str,
    /// Mean of the first.
    pub first: f64,
    /// Mean of the second.
    pub second: f64,
    /// second / first - 1; `None` where the first is 0.
    pub relative: Option<f64>,
    /// Whether the intervals do not touch; without intervals, whether the means differ.
    pub apart: bool,
}

/// Columns that are always compared, besides those of the experiment's report.
const COLUMNS: [&str; 6] = [
    "throughput_per_s",
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p99_ms",
    "balance",
];

/// Set `second` beside `first`. They must be of one experiment; settings that only one has are
/// listed and not compared.
pub fn compare(first: &Results, second: &Results) -> Result<Comparison, LabError> {
    if first.experiment != second.experiment {
        return Err(LabError::Design {
            experiment: first.experiment.clone(),
            reason: format!("cannot be compared with another one, `{}`", second.experiment),
        });
    }
    for results in [first, second] {
        if results.asked().all(|row| row.figures.is_empty()) {
            return Err(LabError::Design {
                experiment: results.experiment.clone(),
                reason: format!(
                    "no trial of it has a result in one of the two folders ({}): there is nothing \
                     to compare; see its summary.txt for the reasons",
                    name(results)
                ),
            });
        }
    }
    let mut columns: Vec<&'static str> = Vec::new();
    let asked = first.report.iter().chain(&second.report).map(String::as_str);
    for name in asked.chain(COLUMNS) {
        if let Some(column) = column(name)
            && !columns.contains(&column.name)
        {
            columns.push(column.name);
        }
    }
    let pairs = pairs(first, second);
    let rows = pairs.iter().map(|(one, other)| Pair {
        job: one.job.clone(),
        setting: setting(one),
        gaps: columns.iter().filter_map(|column| gap(column, one, other)).collect(),
    });
    let missing = |these: &Results, others: &Results| {
        let alone = these.asked().filter(|row| !others.asked().any(|other| same(row, other)));
        alone.map(|row| format!("{} {}", row.job, setting(row))).collect()
    };
    let fidelity = match (first.backend == Place::Twin, second.backend == Place::Twin) {
        (false, true) => Some(Fidelity::of(first, second)),
        (true, false) => Some(Fidelity::of(second, first)),
        _ => None,
    };
    Ok(Comparison {
        experiment: first.experiment.clone(),
        first: name(first),
        second: name(second),
        rows: rows.collect(),
        only_first: missing(first, second),
        only_second: missing(second, first),
        fidelity,
    })
}

impl Comparison {
    /// For people.
    pub fn text(&self) -> String {
        text::comparison(self)
    }
}

impl Fidelity {
    /// For people.
    pub fn text(&self) -> String {
        text::fidelity(self)
    }

    /// Write `fidelity.txt` and `fidelity.json` into `folder`.
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        files::write(&folder.join("fidelity.txt"), self.text().as_bytes())?;
        files::write_json(&folder.join("fidelity.json"), self)
    }
}

/// Rows that both have, those of solo runs left out.
fn pairs<'r>(first: &'r Results, second: &'r Results) -> Vec<(&'r Row, &'r Row)> {
    let pair = |row: &'r Row| Some((row, second.asked().find(|other| same(row, other))?));
    first.asked().filter_map(pair).collect()
}

fn same(one: &Row, other: &Row) -> bool {
    one.job == other.job && one.point == other.point
}

/// The labels of a row but for the job.
fn setting(row: &Row) -> String {
    let labels = row.point.iter().filter(|(name, _)| name != "job");
    labels.map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(", ")
}

fn gap(column: &&'static str, one: &Row, other: &Row) -> Option<Gap> {
    let (one, other) = (one.figures.get(*column)?, other.figures.get(*column)?);
    let relative = other.mean / one.mean - 1.0;
    Some(Gap {
        column,
        first: one.mean,
        second: other.mean,
        relative: relative.is_finite().then_some(relative),
        apart: one.apart(other),
    })
}

/// `twin (virtual time) on build-3, 2026-03-01T10:00:00Z, commit 1a2b3c`.
fn name(results: &Results) -> String {
    let setup = |name: &str| results.setup.get(name).and_then(serde_json::Value::as_str);
    let mut name = results.label().to_owned();
    for (word, field) in [(" on ", "host"), (", ", "started"), (", commit ", "commit")] {
        if let Some(found) = setup(field) {
            name.push_str(&format!("{word}{found}"));
        }
    }
    if setup("profile") == Some("debug") {
        name.push_str(", debug build");
    }
    if results.quick {
        name.push_str(", quick run");
    }
    name
}
