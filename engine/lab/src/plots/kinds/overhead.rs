//! What scheduling itself costs: the time inside the policy for one decision, and from there until
//! the record is in the worker's hands.

use sage_dsl::experiment::Backend;

use super::Kind;
use crate::plots::data::{Data, Shown, figure, interval, largest};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Key, Mark, Panel, Picture, Sign};
use crate::plots::notes::notes;
use crate::plots::rows::{MOST_ROWS, ROW, Table, picture};
use crate::plots::style::PERCENTILES;
use crate::results::Row;

pub(super) const KIND: Kind =
    Kind { pictures: |data, _| Ok(data.parts(MOST_ROWS).iter().filter_map(overhead).collect()) };

/// Title, median and 99th percentile.
const KINDS: [(&str, [&str; 2]); 2] = [
    ("Decision", ["decision_p50_us", "decision_p99_us"]),
    ("Dispatch", ["dispatch_p50_us", "dispatch_p99_us"]),
];

fn overhead(data: &Data<'_>) -> Option<Picture> {
    let table = Table::of(data).only(|row| KINDS.iter().any(|(_, columns)| any(row, columns)));
    let mut whiskers = false;
    let mut panels = Vec::new();
    let rows = &data.rows;
    for (name, cells) in &table.panels {
        for (title, columns) in KINDS {
            // One unit for all jobs, so that they can be compared.
            let Some(top) = largest(rows, &columns) else { continue };
            if !cells.iter().flatten().any(|row| any(row, &columns)) {
                continue;
            }
            let shown = Shown::of(columns[1], top)?;
            let words = [name.as_str(), title].map(str::to_owned);
            let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
            panels.push(Panel {
                title: words.join(", "),
                x: Axis::of(shown.titled(title)),
                y: table.axis(),
                marks: marks(cells, &columns, shown.factor, &mut whiskers),
                height: ROW,
            });
        }
    }
    if panels.is_empty() {
        return None;
    }
    fit(&mut panels, Side::X, Fit::Spread(20));
    let legend = [(PERCENTILES[0], "P50"), (PERCENTILES[2], "P99")];
    let legend = legend.map(|(look, words)| Key { sign: Sign::Mark(look), label: words.into() });
    let columns: Vec<&str> = KINDS.iter().flat_map(|(_, columns)| *columns).collect();
    let mut notes = notes(data, &columns, whiskers);
    if data.results.backend == Backend::Twin {
        notes.push("These times are what the twin assumes, not measured.".into());
    }
    let what = "decision and dispatch overhead";
    Some(picture(data, "overhead", what, legend.to_vec(), panels, notes))
}

/// Median and 99th percentile of each row, joined by a line.
fn marks(
    cells: &[Option<&Row>],
    columns: &[&str; 2],
    factor: f64,
    whiskers: &mut bool,
) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let at = index as f64;
        let Some(row) = cell.filter(|row| any(row, columns)) else {
            marks.push(super::words(at, "n/a"));
            continue;
        };
        let mut found = Vec::new();
        for (column, look) in columns.iter().zip([PERCENTILES[0], PERCENTILES[2]]) {
            let Some(mean) = figure(row, column) else { continue };
            let mean = mean.mean * factor;
            if let Some((low, high)) = interval(row, column) {
                let (from, to) = ((low * factor, at), (high * factor, at));
                marks.push(Mark::Whisker { from, to, look });
                *whiskers = true;
            }
            found.push(mean);
            marks.push(Mark::Dot { at: (mean, at), look, label: None });
        }
        if let [first, last] = found[..] {
            let (from, to) = ((first, at), (last, at));
            marks.push(Mark::Rule { from, to, look: super::RANGE, thick: false });
        }
    }
    marks
}

fn any(row: &Row, columns: &[&str]) -> bool {
    columns.iter().any(|column| figure(row, column).is_some())
}
