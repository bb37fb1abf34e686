//! Throughput against tail latency: one mark for each point, the best at the lower right.

use super::Kind;
use crate::plots::curves::Along;
use crate::plots::data::{Data, Shown, interval, job_words, largest, mean};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Beads, Key, Mark, Panel, Picture, Scale, Sign, side_by_side};
use crate::plots::notes::{file_name, notes, title};
use crate::plots::style::{LOOKS, Look, pt, series as look_of};
use crate::results::Row;

pub(super) const KIND: Kind =
    Kind { pictures: |data, _| Ok(data.parts(MOST_POINTS).iter().filter_map(picture).collect()) };

const X: &str = "throughput_per_s";
const Y: &str = "latency_p99_ms";
/// More points than these are spread over several pictures.
const MOST_POINTS: usize = 24;
/// Up to so many points carry their names, more carry numbers.
const MOST_NAMES: usize = 6;
/// And none if one of them has more letters.
const LONGEST_NAME: usize = 18;
/// Points that are closer than this share of an axis carry their numbers together.
const CLOSE: f64 = 0.035;

/// A point with both figures.
struct Point<'r> {
    row: &'r Row,
    name: String,
    at: (f64, f64),
}

fn picture(data: &Data<'_>) -> Option<Picture> {
    let measured = |row: &Row| mean(row, X).is_some() && mean(row, Y).is_some();
    let rows: Vec<&Row> = data.rows.iter().copied().filter(|row| measured(row)).collect();
    if rows.len() < 2 {
        return None;
    }
    let shown = Shown::of(Y, largest(&rows, &[Y])?)?;
    let names = data.names();
    let long = names.iter().any(|name| name.chars().count() > LONGEST_NAME);
    let numbered = names.len() > MOST_NAMES || long;
    let mut panels = Vec::new();
    let mut whiskers = false;
    for job in &data.jobs {
        let points = rows.iter().filter(|row| row.job == **job).filter_map(|row| {
            let at = (mean(row, X)?, mean(row, Y)? * shown.factor);
            Some(Point { row, name: data.name(row), at })
        });
        let points: Vec<Point<'_>> = points.collect();
        if points.is_empty() {
            continue;
        }
        let mut marks = joined(data, job, &points);
        for point in &points {
            let look = look(&names, &point.name, numbered);
            if let Some((low, high)) = interval(point.row, X) {
                let (from, to) = ((low, point.at.1), (high, point.at.1));
                marks.push(Mark::Whisker { from, to, look });
                whiskers = true;
            }
            if let Some((low, high)) = interval(point.row, Y) {
                let (low, high) = (low * shown.factor, high * shown.factor);
                marks.push(Mark::Whisker { from: (point.at.0, low), to: (point.at.0, high), look });
                whiskers = true;
            }
        }
        for point in &points {
            let look = look(&names, &point.name, numbered);
            let label = Some(point.name.clone()).filter(|name| !name.is_empty());
            marks.push(Mark::Dot { at: point.at, look, label });
        }
        panels.push(Panel {
            title: if data.jobs.len() > 1 { job_words(job) } else { String::new() },
            x: Axis::of(Shown::of(X, 0.0)?.title()),
            y: Axis::of(shown.title()),
            marks,
            height: pt(115.0),
        });
    }
    fit(&mut panels, Side::X, Fit::Free);
    fit(&mut panels, Side::Y, Fit::Loose(20));
    if numbered {
        panels.iter_mut().for_each(|panel| number(panel, &names));
    }
    let legend = names.iter().enumerate().map(|(index, name)| Key {
        sign: Sign::Word(format!("{}", index + 1)),
        label: name.clone(),
    });
    let legend = if numbered { legend.collect() } else { Vec::new() };
    Some(Picture {
        name: file_name(data, "tradeoff"),
        title: title(data, "throughput and tail latency"),
        legend,
        columns: side_by_side(panels.len()),
        panels,
        shared_rows: false,
        notes: notes(data, &[X, Y], whiskers),
    })
}

/// With names each point has a look of its own; with numbers all look alike.
fn look(names: &[String], name: &str, numbered: bool) -> Look {
    let index = names.iter().position(|known| known == name).unwrap_or(0);
    look_of(if numbered { 0 } else { index % LOOKS })
}

/// Lines through points that follow each other along a dimension of numbers.
fn joined(data: &Data<'_>, job: &str, points: &[Point<'_>]) -> Vec<Mark> {
    let Some(axis) = data.axis() else { return Vec::new() };
    let along = Along::of(data, axis);
    let series = data.series(axis).into_iter().filter(|one| one.job == job);
    series
        .map(|one| {
            let mut places: Vec<(f64, (f64, f64))> = one
                .rows
                .iter()
                .filter(|(label, _)| along.is_number(label))
                .filter_map(|(label, row)| {
                    let point = points.iter().find(|point| std::ptr::eq(point.row, *row))?;
                    Some((along.at(label)?, point.at))
                })
                .collect();
            places.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            let points = places.into_iter().map(|(_, at)| at).collect();
            Mark::Line { points, look: super::PATH, beads: Beads::None }
        })
        .collect()
}

/// Put numbers in the place of names; those that would lie on each other are written once.
fn number(panel: &mut Panel, names: &[String]) {
    let (x, y) = (panel.x.scale.clone(), panel.y.scale.clone());
    let mut groups: Vec<((f64, f64), Vec<usize>)> = Vec::new();
    let mut first = Vec::new();
    for mark in &panel.marks {
        let Mark::Dot { at, label: Some(name), .. } = mark else { continue };
        let number = names.iter().position(|known| known == name).unwrap_or(0) + 1;
        let place = (share(&x, at.0), share(&y, at.1));
        let near = groups.iter_mut().find(|(other, _)| {
            (place.0 - other.0).abs() < CLOSE && (place.1 - other.1).abs() < CLOSE
        });
        first.push(near.is_none());
        match near {
            Some((_, numbers)) => numbers.push(number),
            None => groups.push((place, vec![number])),
        }
    }
    let mut words = groups.into_iter().map(|(_, numbers)| {
        numbers.iter().map(usize::to_string).collect::<Vec<String>>().join(",")
    });
    let mut first = first.into_iter();
    for mark in &mut panel.marks {
        if let Mark::Dot { label: label @ Some(_), .. } = mark {
            *label = if first.next() == Some(true) { words.next() } else { None };
        }
    }
}

/// Where a value stands on its axis, from 0 to 1.
fn share(scale: &Scale, value: f64) -> f64 {
    match scale {
        Scale::Numbers { low, high, log: true, .. } => (value / low).ln() / (high / low).ln(),
        Scale::Numbers { low, high, .. } => (value - low) / (high - low),
        Scale::Rows(_) => 0.0,
    }
}
