//! Jobs that run together: tasks completed over time, one line for each job.
//!
//! A steep line that stands still until another ends is a job that is held up by it.

use std::path::PathBuf;

use serde_json::Value;

use super::Kind;
use crate::LabError;
use crate::plots::Tasks;
use crate::plots::data::Data;
use crate::plots::fit::{Fit, Side, fit};
use crate::plots::model::{Axis, Key, Mark, Panel, Picture, Sign, side_by_side};
use crate::plots::notes::{file_name, source, title};
use crate::plots::style::{LOOKS, pt, series as look_of};
use crate::plots::tasks::{Completions, each};
use crate::results::{ALL, Row};

pub(super) const KIND: Kind = Kind {
    pictures: |data, tasks| {
        if !data.together() {
            return Ok(Vec::new());
        }
        let pictures = data.parts(MOST_PANELS).into_iter().map(|part| admission(&part, tasks));
        Ok(pictures.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    },
};

/// Points in one picture.
const MOST_PANELS: usize = 8;

/// A job's completions and when its run began, if that is known.
struct Line<'r> {
    job: &'r str,
    completions: Completions,
    offset: Option<f64>,
}

fn admission(data: &Data<'_>, tasks: Tasks<'_>) -> Result<Option<Picture>, LabError> {
    let jobs: Vec<&str> = data.jobs.iter().copied().filter(|job| *job != ALL).take(LOOKS).collect();
    let mut points = Vec::new();
    for name in data.names().into_iter().take(MOST_PANELS) {
        let mut lines = Vec::new();
        for job in &jobs {
            let Some((row, path, repeat)) =
                data.find(job, &name).and_then(|row| first_run(row, tasks))
            else {
                continue;
            };
            let mut completions = Completions::default();
            each(&path, |task| completions.add(task))?;
            let offset = row.runs.get(repeat).and_then(|run| run.get("offset_s"));
            let offset = offset.and_then(Value::as_f64).filter(|offset| offset.is_finite());
            lines.push(Line { job, completions, offset });
        }
        if !lines.is_empty() {
            points.push((name, lines));
        }
    }
    // Without the offsets the lines cannot be laid over each other.
    let known = points.iter().flat_map(|(_, lines)| lines).all(|line| line.offset.is_some());
    let mut drawn = Vec::new();
    for (name, lines) in points {
        let mut marks = Vec::new();
        for line in lines {
            let offset = if known { line.offset.unwrap_or(0.0) } else { 0.0 };
            let points = line.completions.curve(offset);
            let number = jobs.iter().position(|job| *job == line.job).unwrap_or(0);
            let look = look_of(number);
            if points.len() > 1 {
                marks.push(Mark::Line { points, look, beads: super::beads(number) });
            }
        }
        if !marks.is_empty() {
            drawn.push((name, marks));
        }
    }
    if drawn.is_empty() {
        return Ok(None);
    }
    let words = if known { "Time (s)" } else { "Time since the start of each job (s)" };
    let columns = side_by_side(drawn.len());
    let panels = drawn.into_iter().map(|(name, marks)| Panel {
        title: data.title_of(&name),
        x: Axis::of(words),
        y: Axis::of("Tasks completed"),
        marks,
        height: pt(if columns > 1 { 85.0 } else { 110.0 }),
    });
    let mut panels: Vec<Panel> = panels.collect();
    fit(&mut panels, Side::X, Fit::Zero);
    fit(&mut panels, Side::Y, Fit::Zero);
    let keys = jobs.iter().enumerate();
    let keys =
        keys.map(|(index, job)| Key { sign: Sign::Line(look_of(index)), label: (*job).to_owned() });
    let mut notes = source(data);
    notes.push("The first repeat of each point.".into());
    Ok(Some(Picture {
        name: file_name(data, "admission"),
        title: title(data, "tasks completed over time"),
        legend: keys.collect(),
        panels,
        columns,
        shared_rows: false,
        notes,
    }))
}

/// The first repeat of which there are tasks: its row, the file and its number.
fn first_run<'r>(row: &'r Row, tasks: Tasks<'_>) -> Option<(&'r Row, PathBuf, usize)> {
    row.folders.iter().enumerate().find_map(|(repeat, folder)| {
        let path = (!folder.is_empty()).then(|| tasks(folder))??;
        path.is_file().then_some((row, path, repeat))
    })
}
