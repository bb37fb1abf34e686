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
/// So many numbers together identify nothing and take too much room: the first stands for them.
const MOST_TOGETHER: usize = 4;

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
    let mut numbered = names.len() > MOST_NAMES || long;
    let (mut panels, whiskers) = panels(data, &rows, shown, &names, numbered)?;
    if !numbered && panels.iter().any(is_crowded) {
        // Names on top of each other say less than numbers.
        numbered = true;
        (panels, _) = self::panels(data, &rows, shown, &names, numbered)?;
    }
    let mut notes = notes(data, &[X, Y], whiskers);
    if numbered {
        notes.extend(panels.iter_mut().flat_map(|panel| number(panel, &names)));
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
        notes,
    })
}

/// A panel for each job, fitted, and whether there are whiskers.
fn panels(
    data: &Data<'_>,
    rows: &[&Row],
    shown: Shown,
    names: &[String],
    numbered: bool,
) -> Option<(Vec<Panel>, bool)> {
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
            let look = look(names, &point.name, numbered);
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
            let look = look(names, &point.name, numbered);
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
    Some((panels, whiskers))
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

/// Named points of a panel that lie on each other: by the number of their mark.
fn groups(panel: &Panel) -> Vec<Vec<usize>> {
    let mut groups: Vec<((f64, f64), Vec<usize>)> = Vec::new();
    for (index, mark) in panel.marks.iter().enumerate() {
        let Mark::Dot { at, label: Some(_), .. } = mark else { continue };
        let place = (share(&panel.x.scale, at.0), share(&panel.y.scale, at.1));
        let near = groups.iter_mut().find(|(other, _)| {
            (place.0 - other.0).abs() < CLOSE && (place.1 - other.1).abs() < CLOSE
        });
        match near {
            Some((_, marks)) => marks.push(index),
            None => groups.push((place, vec![index])),
        }
    }
    groups.into_iter().map(|(_, marks)| marks).collect()
}

/// Whether so many points lie on each other that their names would.
fn is_crowded(panel: &Panel) -> bool {
    groups(panel).iter().any(|group| group.len() >= MOST_TOGETHER)
}

/// Put numbers in the place of names; those that would lie on each other are written once, and
/// where there are many of them only the first. Tells which the others are.
fn number(panel: &mut Panel, names: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    for group in groups(panel) {
        let number = |mark: &usize| match &panel.marks[*mark] {
            Mark::Dot { label: Some(name), .. } => names.iter().position(|known| known == name),
            _ => None,
        };
        let numbers: Vec<usize> = group.iter().filter_map(number).map(|at| at + 1).collect();
        let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
        let words = if words.len() < MOST_TOGETHER {
            words.join(", ")
        } else {
            let short = format!("{} and {} more", words[0], words.len() - 1);
            let within =
                if panel.title.is_empty() { String::new() } else { format!("{}, ", panel.title) };
            notes.push(format!("{within}\u{201c}{short}\u{201d}: {}.", ranges(&numbers)));
            short
        };
        let mut words = Some(words);
        for mark in group {
            if let Mark::Dot { label, .. } = &mut panel.marks[mark] {
                *label = words.take();
            }
        }
    }
    notes
}

/// `1, 3–5` for 1, 3, 4, 5.
fn ranges(numbers: &[usize]) -> String {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let words = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}–{last}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Where a value stands on its axis, from 0 to 1.
fn share(scale: &Scale, value: f64) -> f64 {
    match scale {
        Scale::Numbers { low, high, log: true, .. } => (value / low).ln() / (high / low).ln(),
        Scale::Numbers { low, high, .. } => (value - low) / (high - low),
        Scale::Rows(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(places: &[(f64, f64)]) -> Panel {
        let dots = places.iter().enumerate().map(|(index, at)| Mark::Dot {
            at: *at,
            look: look_of(0),
            label: Some(format!("p{}", index + 1)),
        });
        let axis = || Axis { title: String::new(), scale: Scale::numbers(0.0, 10.0, false) };
        let marks = dots.collect();
        Panel { title: "rag".into(), x: axis(), y: axis(), marks, height: 1.0 }
    }

    #[test]
    fn of_points_on_each_other_the_first_stands_for_many() {
        let mut places = vec![(5.0, 5.0); 6];
        places[1] = (1.0, 1.0);
        places.extend([(9.0, 9.0), (9.1, 9.0)]);
        let mut panel = panel(&places);
        assert!(is_crowded(&panel));
        let names: Vec<String> = (1..=8).map(|number| format!("p{number}")).collect();
        let notes = number(&mut panel, &names);
        assert_eq!(notes, ["rag, “1 and 4 more”: 1, 3–6."]);
        let labels = panel.marks.iter().filter_map(|mark| match mark {
            Mark::Dot { label, .. } => label.as_deref(),
            _ => None,
        });
        assert_eq!(labels.collect::<Vec<_>>(), ["1 and 4 more", "2", "7, 8"]);
        assert!(!is_crowded(&super::tests::panel(&places[5..])));
    }
}
