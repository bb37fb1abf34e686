//! Throughput: along a dimension of numbers as lines, beside each other as bars.
//!
//! Along nodes there is a line of what as many times the nodes would bring ideally, from the
//! fewest nodes of each job.

use super::Kind;
use super::bars::{Cut, NOTE};
use crate::plots::curves::{Along, capital, groups};
use crate::plots::data::{Data, Series, Shown, figure, interval, largest, mean};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Beads, Key, Mark, Panel, Picture, Sign, side_by_side};
use crate::plots::notes::{file_name, notes, title};
use crate::plots::rows::{MOST_ROWS, ROW, Table, picture};
use crate::plots::style::{GUIDE, pt};
use crate::results::ALL;

pub(super) const KIND: Kind = Kind { pictures: |data, _| Ok(pictures(data)) };

const COLUMN: &str = "throughput_per_s";

fn pictures(data: &Data<'_>) -> Vec<Picture> {
    if largest(&data.rows, &[COLUMN]).is_none() {
        return Vec::new();
    }
    match data.axis() {
        Some(axis) => vec![curves(data, axis)],
        None => data.parts(MOST_ROWS).iter().filter_map(bars).collect(),
    }
}

fn curves<'r>(data: &Data<'r>, axis: &'r str) -> Picture {
    let along = Along::of(data, axis);
    let (groups, mut legend, left_out) = groups(data, axis, COLUMN);
    let mut whiskers = false;
    let mut panels = Vec::new();
    let columns = side_by_side(groups.len());
    let title_of_y = Shown::of(COLUMN, 0.0).map_or(String::new(), Shown::title);
    for group in groups {
        let mut marks = Vec::new();
        let mut jobs: Vec<&str> = Vec::new();
        for (series, _) in &group.series {
            if axis == "nodes" && series.job != ALL && !jobs.contains(&series.job) {
                jobs.push(series.job);
                marks.extend(ideal(&along, series));
            }
        }
        for (series, look) in &group.series {
            whiskers |= along.marks(series, COLUMN, 1.0, *look, &mut marks);
        }
        let y = Axis::of(title_of_y.clone());
        let height = pt(if columns > 1 { 105.0 } else { 115.0 });
        panels.push(Panel { title: group.title, x: along.axis(), y, marks, height });
    }
    // What is ideal is straight where both axes are logarithmic.
    let by = if axis == "nodes" && along.is_log() { Fit::Spread(2) } else { along.fit() };
    fit(&mut panels, Side::Y, by);
    if axis == "nodes" {
        legend.push(Key { sign: Sign::Plain(GUIDE), label: "ideal speedup".into() });
    }
    let mut notes = notes(data, &[COLUMN], whiskers);
    notes.extend(super::left_out(left_out));
    if axis == "nodes" {
        let base = data.results.speedup_base();
        notes.extend(base.map(|base| format!("{}; so is the ideal line.", capital(&base))));
    }
    Picture {
        name: file_name(data, "throughput"),
        title: title(data, "throughput"),
        legend,
        panels,
        columns,
        shared_rows: false,
        notes,
    }
}

/// What the fewest nodes bring, times the nodes.
fn ideal(along: &Along<'_>, series: &Series<'_>) -> Option<Mark> {
    let measured = series.rows.iter().filter_map(|(label, row)| {
        let at = along.at(label).filter(|at| *at > 0.0)?;
        Some((at, mean(row, COLUMN)?))
    });
    let (nodes, throughput) = measured.min_by(|(one, _), (other, _)| one.total_cmp(other))?;
    let points = along.fine().into_iter().filter(|at| *at >= nodes);
    let points = points.map(|at| (at, throughput * at / nodes)).collect();
    Some(Mark::Line { points, look: GUIDE, beads: Beads::None })
}

fn bars(data: &Data<'_>) -> Option<Picture> {
    let top = largest(&data.rows, &[COLUMN])?;
    let table = Table::of(data).with(|row| mean(row, COLUMN).is_some());
    let title = Shown::of(COLUMN, top)?.title();
    let (mut whiskers, mut cut_off) = (false, false);
    let mut panels = Vec::new();
    for (name, cells) in &table.panels {
        let cut = Cut::of(cells.iter().flatten().filter_map(|row| mean(row, COLUMN)));
        let mut marks = Vec::new();
        for (row, cell) in cells.iter().enumerate() {
            let at = row as f64;
            let Some(found) = cell.and_then(|row| figure(row, COLUMN)) else {
                marks.push(super::words(at, "n/a"));
                continue;
            };
            let (from, to) = ((0.0, at - 0.32), (cut.to(found.mean), at + 0.32));
            marks.push(Mark::Bar { from, to, look: super::BAR });
            marks.extend(cut.words(at, found.mean, 1.0));
            if cut.cuts(found.mean) {
                cut_off = true;
                continue;
            }
            if let Some((low, high)) = cell.and_then(|row| interval(row, COLUMN)) {
                let (from, to) = ((low, at), (high, at));
                marks.push(Mark::Whisker { from, to, look: super::INK_LOOK });
                whiskers = true;
            }
        }
        let x = Axis::of(title.clone());
        let y = table.axis();
        panels.push(Panel { title: name.clone(), x, y, marks, height: ROW });
    }
    fit(&mut panels, Side::X, Fit::Zero);
    let mut notes = notes(data, &[COLUMN], whiskers);
    notes.extend(cut_off.then(|| NOTE.to_owned()));
    Some(picture(data, "throughput", "throughput", Vec::new(), panels, notes))
}
