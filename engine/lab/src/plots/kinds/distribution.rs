//! The cumulative distribution of latencies, from the single tasks: what percentiles leave out.

use super::{Kind, left_out};
use crate::LabError;
use crate::plots::Tasks;
use crate::plots::data::{Data, Shown, job_words, mean, pick};
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Key, Mark, Panel, Picture, Scale, Sign, side_by_side};
use crate::plots::notes::{file_name, source, title};
use crate::plots::style::{LOOKS, pt, series as look_of};
use crate::plots::tasks::{Latencies, each};
use crate::results::ALL;

pub(super) const KIND: Kind = Kind { pictures: |data, tasks| distribution(data, tasks) };

/// Points of a line.
const POINTS: usize = 240;
/// Panels in one picture, one for each job.
const MOST_PANELS: usize = 8;

fn distribution(data: &Data<'_>, tasks: Tasks<'_>) -> Result<Vec<Picture>, LabError> {
    let names = data.names();
    let score = |name: &str| {
        let rows = data.jobs.iter().filter_map(|job| data.find(job, name));
        rows.filter_map(|row| mean(row, "latency_p99_ms")).fold(0.0, f64::max)
    };
    let kept = pick(&names, data.results.baseline.as_deref(), LOOKS, score);
    let jobs: Vec<&str> = data.jobs.iter().copied().filter(|job| *job != ALL).collect();
    // With one point the jobs are the lines of one panel.
    let alone = names.len() == 1;
    let mut panels: Vec<(String, Vec<Mark>)> = Vec::new();
    let mut keys: Vec<Key> = Vec::new();
    for (place, job) in jobs.iter().enumerate().take(if alone { LOOKS } else { MOST_PANELS }) {
        let mut marks = Vec::new();
        for (index, name) in kept.iter().enumerate() {
            let Some(row) = data.find(job, name) else { continue };
            let mut latencies = Latencies::default();
            for folder in row.folders.iter().filter(|folder| !folder.is_empty()) {
                let Some(path) = tasks(folder) else { continue };
                each(&path, |task| latencies.add(task.finished - task.arrived))?;
            }
            let points = latencies.curve(POINTS);
            if points.len() < 2 {
                continue;
            }
            let number = if alone { place } else { index };
            let look = look_of(number);
            let label = if alone { job_words(job) } else { name.clone() };
            let sign = Sign::Line(look);
            if !keys.iter().any(|key| key.sign == sign) {
                keys.push(Key { sign, label });
            }
            marks.push(Mark::Line { points, look, beads: super::beads(number) });
        }
        match panels.first_mut() {
            Some((_, first)) if alone => first.extend(marks),
            _ if marks.is_empty() => {}
            _ => panels.push((if alone { String::new() } else { job_words(job) }, marks)),
        }
    }
    if panels.is_empty() {
        return Ok(Vec::new());
    }
    let mut notes = source(data);
    notes.push("All tasks of all repeats that completed, warm-up included.".into());
    notes.extend(left_out(names.len() - kept.len()));
    let titled = panels.len() > 1;
    let columns = side_by_side(panels.len());
    let panels = panels.into_iter().filter_map(|(title, marks)| panel(title, marks, titled));
    let mut panels: Vec<Panel> = panels.collect();
    // The few fastest tasks of a backlog do not make an axis logarithmic.
    let wide: Vec<bool> = panels.iter().map(is_wide).collect();
    if let Some(first) = wide.first()
        && wide.iter().all(|wide| wide == first)
    {
        fit(&mut panels, Side::X, axis(*first));
    } else {
        for (panel, wide) in panels.iter_mut().zip(&wide) {
            fit(std::slice::from_mut(panel), Side::X, axis(*wide));
        }
    }
    Ok(vec![Picture {
        name: file_name(data, "cdf"),
        title: title(data, "distribution of latency"),
        legend: if keys.len() > 1 { keys } else { Vec::new() },
        panels,
        columns,
        shared_rows: false,
        notes,
    }])
}

fn panel(title: String, mut marks: Vec<Mark>, titled: bool) -> Option<Panel> {
    let ends = marks.iter().filter_map(|mark| match mark {
        Mark::Line { points, .. } => points.last(),
        _ => None,
    });
    let top = ends.map(|(seconds, _)| *seconds).fold(0.0, f64::max);
    let shown = Shown::of("latency_mean_ms", 1e3 * top)?;
    for mark in &mut marks {
        if let Mark::Line { points, .. } = mark {
            points.iter_mut().for_each(|(x, _)| *x *= 1e3 * shown.factor);
        }
    }
    Some(Panel {
        title: if titled { title } else { String::new() },
        x: Axis::of(shown.titled("Latency")),
        y: Axis { title: "Share of tasks".into(), scale: Scale::numbers(0.0, 1.02, false) },
        marks,
        height: pt(105.0),
    })
}

fn axis(wide: bool) -> Fit {
    if wide { Fit::Spread(1) } else { Fit::Zero }
}

/// Whether latencies above the tenth percentile of each line span a factor of a hundred.
fn is_wide(panel: &Panel) -> bool {
    let lines = panel.marks.iter().filter_map(|mark| match mark {
        Mark::Line { points, .. } => Some(points),
        _ => None,
    });
    let all = lines.flatten().filter(|(_, share)| *share >= 0.1).map(|(latency, _)| *latency);
    let (low, high) = all.fold((f64::INFINITY, 0.0f64), |(low, high), latency| {
        (low.min(latency), high.max(latency))
    });
    high > 100.0 * low
}
