//! Latency: median, 90th and 99th percentile of arrival to completion.

use super::{Kind, left_out};
use crate::plots::curves::{Along, Group, groups};
use crate::plots::data::{Data, Shown, figure, interval, largest};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Key, Mark, Panel, Picture, Sign, side_by_side};
use crate::plots::notes::{file_name, notes, title};
use crate::plots::rows::{MOST_ROWS, ROW, Table, picture};
use crate::plots::style::{GUIDE, Look, PERCENTILES, pt};
use crate::results::Row;

pub(super) const KIND: Kind = Kind { pictures: |data, _| Ok(pictures(data)) };

const COLUMNS: [&str; 3] = ["latency_p50_ms", "latency_p90_ms", "latency_p99_ms"];
const WORDS: [&str; 3] = ["P50", "P90", "P99"];
const P99: &str = COLUMNS[2];
/// So many panels with three lines each; with more series there is one line for each.
const MOST_PANELS: usize = 4;

fn pictures(data: &Data<'_>) -> Vec<Picture> {
    if largest(&data.rows, &COLUMNS).is_none() {
        return Vec::new();
    }
    let Some(axis) = data.axis() else {
        return data.parts(MOST_ROWS).iter().filter_map(rows).collect();
    };
    let series = data.series(axis);
    if series.len() <= MOST_PANELS {
        let apart = series.len() > 1;
        let groups = series.into_iter().map(|one| {
            let title = if apart { one.name(data.jobs.len() > 1) } else { String::new() };
            Group { title, series: vec![(one, GUIDE)] }
        });
        let groups = groups.collect();
        return vec![curves(data, axis, groups, &COLUMNS, legend(Sign::Line), 0)];
    }
    let (groups, legend, left_out) = groups(data, axis, P99);
    vec![curves(data, axis, groups, &[P99], legend, left_out)]
}

fn legend(sign: fn(Look) -> Sign) -> Vec<Key> {
    let keys = PERCENTILES.into_iter().zip(WORDS);
    keys.map(|(look, words)| Key { sign: sign(look), label: words.into() }).collect()
}

/// Panels of lines: the percentiles of one series, or one percentile of several.
fn curves<'r>(
    data: &Data<'r>,
    axis: &'r str,
    groups: Vec<Group<'r>>,
    columns: &[&str],
    legend: Vec<Key>,
    missing: usize,
) -> Picture {
    let along = Along::of(data, axis);
    let mut whiskers = false;
    let mut panels = Vec::new();
    let columns_of_panels = side_by_side(groups.len());
    for group in groups {
        let rows = group.series.iter().flat_map(|(one, _)| one.rows.iter().map(|(_, row)| *row));
        let rows: Vec<_> = rows.collect();
        let Some(shown) = largest(&rows, columns).and_then(|top| Shown::of(P99, top)) else {
            continue;
        };
        let mut marks = Vec::new();
        for (series, look) in &group.series {
            for (index, column) in columns.iter().enumerate() {
                let look = if columns.len() > 1 { PERCENTILES[index] } else { *look };
                whiskers |= along.marks(series, column, shown.factor, look, &mut marks);
            }
        }
        let words = if columns.len() > 1 { "Latency" } else { "P99 latency" };
        let y = Axis::of(shown.titled(words));
        let height = pt(if columns_of_panels > 1 { 105.0 } else { 115.0 });
        panels.push(Panel { title: group.title, x: along.axis(), y, marks, height });
    }
    fit(&mut panels, Side::Y, Fit::Spread(60));
    let mut notes = notes(data, columns, whiskers);
    notes.extend(left_out(missing));
    Picture {
        name: file_name(data, "latency"),
        title: title(data, if columns.len() > 1 { "latency" } else { "P99 latency" }),
        legend,
        panels,
        columns: columns_of_panels,
        shared_rows: false,
        notes,
    }
}

/// A row for each point: three marks on a line.
fn rows(data: &Data<'_>) -> Option<Picture> {
    let shown = Shown::of(P99, largest(&data.rows, &COLUMNS)?)?;
    let any = |row: &Row| COLUMNS.iter().any(|column| figure(row, column).is_some());
    let table = Table::of(data).with(any);
    let mut whiskers = false;
    let mut panels = Vec::new();
    for (name, cells) in &table.panels {
        let mut marks = Vec::new();
        for (row, cell) in cells.iter().enumerate() {
            let at = row as f64;
            let mut found = Vec::new();
            for (column, look) in COLUMNS.iter().zip(PERCENTILES) {
                let Some(mean) = cell.and_then(|row| figure(row, column)) else { continue };
                let mean = mean.mean * shown.factor;
                found.push(mean);
                if let Some((low, high)) = cell.and_then(|row| interval(row, column)) {
                    let (from, to) = ((low * shown.factor, at), (high * shown.factor, at));
                    marks.push(Mark::Whisker { from, to, look });
                    whiskers = true;
                }
                marks.push(Mark::Dot { at: (mean, at), look, label: None });
            }
            let ends = (found.first().copied(), found.last().copied());
            if let (Some(first), Some(last)) = ends {
                let (from, to) = ((first, at), (last, at));
                marks.push(Mark::Rule { from, to, look: super::RANGE, thick: false });
            } else {
                marks.push(super::words(at, "n/a"));
            }
        }
        let x = Axis::of(shown.titled("Latency"));
        let y = table.axis();
        panels.push(Panel { title: name.clone(), x, y, marks, height: ROW });
    }
    fit(&mut panels, Side::X, Fit::Spread(60));
    let notes = notes(data, &COLUMNS, whiskers);
    Some(picture(data, "latency", "latency", legend(Sign::Mark), panels, notes))
}
