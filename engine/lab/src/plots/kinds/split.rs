//! The parts of the mean latency on top of each other: scheduling, queueing, execution.
//!
//! The three add up to the latency of every task, so their means add up to its mean. A row of
//! which one part is missing is not drawn, since the rest would look like the whole.

use super::Kind;
use super::bars::{Cut, NOTE};
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
    let table = Table::of(data).with(|row| parts(row).is_some());
    let cuts = table.panels.iter().map(|(_, cells)| {
        let sums = cells.iter().flatten().filter_map(|row| parts(row));
        Cut::of(sums.map(|parts| parts.iter().sum()))
    });
    let cuts: Vec<Cut> = cuts.collect();
    let shown = Shown::of(COLUMNS[0], cuts.iter().map(|cut| cut.whole).reduce(f64::max)?)?;
    let mut cut_off = false;
    let mut panels = Vec::new();
    for ((name, cells), cut) in table.panels.iter().zip(&cuts) {
        let mut marks = Vec::new();
        for (row, cell) in cells.iter().enumerate() {
            let at = row as f64;
            let Some(parts) = cell.and_then(parts) else {
                marks.push(super::words(at, "n/a"));
                continue;
            };
            let mut begin = 0.0;
            for (part, look) in parts.into_iter().zip(PARTS) {
                let end = begin + part;
                let [from, to] = [begin, end].map(|length| cut.to(length) * shown.factor);
                marks.push(Mark::Bar { from: (from, at - 0.34), to: (to, at + 0.34), look });
                begin = end;
            }
            cut_off |= cut.cuts(begin);
            marks.extend(cut.words(at, begin, shown.factor));
        }
        let x = Axis::of(shown.titled("Mean latency"));
        let y = table.axis();
        panels.push(Panel { title: name.clone(), x, y, marks, height: ROW });
    }
    fit(&mut panels, Side::X, Fit::Zero);
    let legend = PARTS.into_iter().zip(["scheduling", "queueing", "execution"]);
    let legend = legend.map(|(look, words)| Key { sign: Sign::Box(look), label: words.into() });
    let mut notes = notes(data, &COLUMNS, false);
    notes.extend(cut_off.then(|| NOTE.to_owned()));
    Some(picture(data, "split", "where time goes", legend.collect(), panels, notes))
}
