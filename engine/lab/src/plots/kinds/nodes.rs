//! How the completed tasks are spread over the nodes, idle nodes included.
//!
//! A few points with a few nodes are bars; many nodes are a curve from the busiest to the idlest;
//! many points are a strip each, in multiples of the mean, so that they can be compared.

use serde_json::Value;

use super::Kind;
use crate::plots::data::{Data, drawable_share};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Beads, Key, Mark, Panel, Picture, Scale, Sign, side_by_side};
use crate::plots::notes::{failures, file_name, source, title};
use crate::plots::rows::{MOST_ROWS, ROW, Table, picture};
use crate::plots::style::{GUIDE, Look, Shape, pt, series as look_of};
use crate::results::{ALL, Row};

pub(super) const KIND: Kind =
    Kind { pictures: |data, _| Ok(data.parts(MOST_ROWS).iter().filter_map(nodes).collect()) };

/// Up to so many points have a panel each.
const MOST_PANELS: usize = 4;
/// Up to so many nodes have a bar each.
const MOST_BARS: usize = 32;
/// Up to so many nodes have a mark each in a strip.
const MOST_MARKS: usize = 32;

/// One point: its name and the tasks of each node, mean over the repeats.
struct Point {
    name: String,
    tasks: Vec<f64>,
    repeats: usize,
}

impl Point {
    fn of(name: &str, row: Option<&Row>) -> Option<Point> {
        let (tasks, repeats) = tasks_of_nodes(row?)?;
        Some(Point { name: name.to_owned(), tasks, repeats })
    }
}

fn nodes(data: &Data<'_>) -> Option<Picture> {
    let shown = |row: &Row| row.job != ALL && tasks_of_nodes(row).is_some();
    let table = Table::of(data).only(shown).with(shown);
    let mut points: Vec<Point> = Vec::new();
    for (title, cells) in &table.panels {
        for (name, row) in table.names.iter().zip(cells) {
            let name = if table.title == "job" { name.clone() } else { data.title_of(name) };
            points.extend(Point::of(&both(&name, title), *row));
        }
    }
    // One node has nothing to share out.
    points.retain(|point| point.tasks.len() > 1);
    let most = points.iter().map(|point| point.tasks.len()).max()?;
    let mut notes = source(data);
    let repeats = points.iter().map(|point| point.repeats).max().unwrap_or(1);
    notes.push(match repeats {
        1 => "Completed tasks of each node, one run.".to_owned(),
        n => format!("Completed tasks of each node, mean of {n} repeats."),
    });
    if points.len() <= MOST_PANELS {
        notes.extend(failures(data));
        let titled = points.len() > 1;
        let panels = points.iter().map(|point| panel(point, most, titled));
        let mut panels: Vec<Panel> = panels.collect();
        fit(&mut panels, Side::Y, Fit::Zero);
        return Some(Picture {
            name: file_name(data, "nodes"),
            title: title(data, WHAT),
            legend: vec![Key { sign: Sign::Plain(GUIDE), label: "mean".into() }],
            columns: side_by_side(panels.len()),
            panels,
            shared_rows: false,
            notes,
        });
    }
    let panels = table.panels.iter().map(|(title, cells)| {
        let points: Vec<Option<Point>> = cells.iter().map(|row| Point::of("", *row)).collect();
        strips(title, &table, &points)
    });
    let mut panels: Vec<Panel> = panels.collect();
    fit(&mut panels, Side::X, Fit::Zero);
    let label = if most > MOST_MARKS {
        notes.push("Lines: least to most; thick: the middle 90 % of the nodes.".into());
        format!("a node, or the median of more than {MOST_MARKS}")
    } else {
        "a node".to_owned()
    };
    notes.extend(failures(data));
    let legend = vec![Key { sign: Sign::Mark(NODE), label }];
    Some(picture(data, "nodes", WHAT, legend, panels, notes))
}

const WHAT: &str = "tasks by node";

/// Name of a point and title of its job in one.
fn both(name: &str, title: &str) -> String {
    match (name, title) {
        (name, "") => name.to_owned(),
        ("", title) => title.to_owned(),
        (name, title) => format!("{name}, {title}"),
    }
}

const NODE: Look = Look { shape: Shape::Ring, ..look_of(0) };

/// Tasks of each node, mean over the repeats that had the same nodes, and how many those were.
fn tasks_of_nodes(row: &Row) -> Option<(Vec<f64>, usize)> {
    let mut sum: Vec<f64> = Vec::new();
    let mut repeats = 0;
    for run in &row.runs {
        let nodes = run.get("nodes").and_then(Value::as_array);
        let tasks = nodes.into_iter().flatten().map(|node| node.get("tasks")?.as_f64());
        let Some(tasks) = tasks.collect::<Option<Vec<f64>>>() else { continue };
        if tasks.is_empty() || !(sum.is_empty() || sum.len() == tasks.len()) {
            continue;
        }
        sum.resize(tasks.len(), 0.0);
        sum.iter_mut().zip(&tasks).for_each(|(sum, tasks)| *sum += tasks);
        repeats += 1;
    }
    let mean = sum.iter().map(|sum| sum / repeats as f64).collect();
    (repeats > 0).then_some((mean, repeats))
}

fn mean(tasks: &[f64]) -> f64 {
    tasks.iter().sum::<f64>() / tasks.len().max(1) as f64
}

/// Bars, or the curve of sorted nodes.
fn panel(point: &Point, most: usize, titled: bool) -> Panel {
    let count = point.tasks.len() as f64;
    let mean = mean(&point.tasks);
    let mut marks = Vec::new();
    let bars = most <= MOST_BARS;
    if bars {
        for (node, tasks) in point.tasks.iter().enumerate() {
            let at = node as f64;
            let (from, to) = ((at - 0.38, 0.0), (at + 0.38, *tasks));
            marks.push(Mark::Bar { from, to, look: super::BAR });
        }
    } else {
        let mut sorted = point.tasks.clone();
        sorted.sort_by(|one, other| other.total_cmp(one));
        let points = sorted.iter().enumerate();
        let points = points
            .flat_map(|(rank, tasks)| [(rank as f64, *tasks), (rank as f64 + 1.0, *tasks)])
            .collect();
        marks.push(Mark::Line { points, look: look_of(0), beads: Beads::None });
    }
    let (left, right) = if bars { (-0.6, count - 0.4) } else { (0.0, count) };
    let ends = vec![(left, mean), (right, mean)];
    marks.push(Mark::Line { points: ends, look: GUIDE, beads: Beads::None });
    let x_title = if bars { "Node" } else { "Nodes, from the busiest" };
    let mut x = Scale::numbers(left, right, false);
    if bars && let Scale::Numbers { ticks, .. } = &mut x {
        let step = (point.tasks.len() / 8).max(1);
        let at = (0..point.tasks.len()).step_by(step);
        *ticks = Some(at.map(|node| (node as f64, node.to_string())).collect());
    }
    Panel {
        title: if titled { point.name.clone() } else { String::new() },
        x: Axis { title: x_title.into(), scale: x },
        y: Axis::of("Tasks"),
        marks,
        height: pt(90.0),
    }
}

/// A row for each point: its nodes in multiples of their mean.
fn strips(title: &str, table: &Table<'_>, points: &[Option<Point>]) -> Panel {
    let mut marks = Vec::new();
    for (row, point) in points.iter().enumerate() {
        let at = row as f64;
        let missing = |text: &str| super::words(at, text);
        let Some(Point { tasks, .. }) = point else {
            marks.push(missing("n/a"));
            continue;
        };
        let mean = mean(tasks);
        if !drawable_share(mean) {
            marks.push(missing("no task completed"));
            continue;
        }
        let mut shares: Vec<f64> = tasks.iter().map(|tasks| tasks / mean).collect();
        shares.sort_by(f64::total_cmp);
        let quantile = |q: f64| shares[((shares.len() - 1) as f64 * q).round() as usize];
        let rule = |low: f64, high: f64, thick: bool| {
            let (from, to) = ((quantile(low), at), (quantile(high), at));
            Mark::Rule { from, to, look: Look { dash: None, ..look_of(0) }, thick }
        };
        marks.push(rule(0.0, 1.0, false));
        let mut dots = shares.clone();
        if shares.len() > MOST_MARKS {
            marks.push(rule(0.05, 0.95, true));
            dots = vec![quantile(0.5)];
        }
        let dots = dots.into_iter().map(|share| (share, at));
        marks.extend(dots.map(|at| Mark::Dot { at, look: NODE, label: None }));
    }
    let line = vec![(1.0, -0.5), (1.0, points.len() as f64 - 0.5)];
    marks.push(Mark::Line { points: line, look: GUIDE, beads: Beads::None });
    Panel {
        title: title.to_owned(),
        x: Axis::of("Tasks / mean of nodes"),
        y: table.axis(),
        marks,
        height: ROW,
    }
}
