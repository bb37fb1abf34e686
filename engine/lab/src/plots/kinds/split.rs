//! The parts of the mean latency on top of each other: scheduling, queueing, execution.
//!
//! The three add up to the latency of every task, so their means add up to its mean. A row of
//! which one part is missing is not drawn, since the rest would look like the whole.

use super::Kind;
use crate::plots::data::{Data, Shown, mean};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Key, Mark, Panel, Picture, Sign};
use crate::plots::notes::notes;
use crate::plots::rows::{MOST_ROWS, ROW, Table, picture};
use crate::plots::style::PARTS;
use crate::results::Row;

pub(super) const KIND: Kind =
    Kind { pictures: |data, _| Ok(data.parts(MOST_ROWS).iter().filter_map(split).collect()) };

const COLUMNS: [&str; 3] = ["scheduling_mean_ms", "queueing_mean_ms", "execution_mean_ms"];

fn parts(row: &Row) -> Option<[f64; 3]> {
    let [scheduling, queueing, execution] = COLUMNS.map(|column| mean(row, column));
    Some([scheduling?, queueing?, execution?])
}

fn split(data: &Data<'_>) -> Option<Picture> {
    let top = data.rows.iter().filter_map(|row| parts(row)).map(|parts| parts.iter().sum());
    let shown = Shown::of(COLUMNS[0], top.reduce(f64::max)?)?;
    let table = Table::of(data).with(|row| parts(row).is_some());
    let mut panels = Vec::new();
    for (name, cells) in &table.panels {
        let mut marks = Vec::new();
        for (row, cell) in cells.iter().enumerate() {
            let at = row as f64;
            let Some(parts) = cell.and_then(parts) else {
                marks.push(super::words(at, "n/a"));
                continue;
            };
            let mut begin = 0.0;
            for (part, look) in parts.into_iter().zip(PARTS) {
                let end = begin + part * shown.factor;
                marks.push(Mark::Bar { from: (begin, at - 0.34), to: (end, at + 0.34), look });
                begin = end;
            }
        }
        let x = Axis::of(shown.titled("Mean latency"));
        let y = table.axis();
        panels.push(Panel { title: name.clone(), x, y, marks, height: ROW });
    }
    fit(&mut panels, Side::X, Fit::Zero);
    let legend = PARTS.into_iter().zip(["scheduling", "queueing", "execution"]);
    let legend = legend.map(|(look, words)| Key { sign: Sign::Box(look), label: words.into() });
    let notes = notes(data, &COLUMNS, false);
    Some(picture(data, "split", "where time goes", legend.collect(), panels, notes))
}
