//! Charts along a dimension of numbers: one line for each series.

use super::data::{
    Data, Series, distinct_names, figure, interval, job_words, largest, number, pick,
};
use super::fit::Fit;
use super::model::{Axis, Beads, Key, Mark, Scale, Sign};
use super::style::{LOOKS, Look, series as look_of};
use crate::results::{ALL, Row};

/// Between neighbours by this factor or more in all, numbers stand logarithmically.
const LOG_FROM: f64 = 20.0;

/// Jobs whose figures differ by more than this factor have panels of their own.
const APART: f64 = 2.5;

/// Labels of a dimension as places on an axis. Labels that are no numbers, such as `auto`, stand
/// behind the numbers and are not joined by lines.
#[derive(Debug, Clone)]
pub(super) struct Along<'r> {
    dimension: &'r str,
    places: Vec<(&'r str, f64)>,
    /// How many of the places are numbers; they come first, ascending.
    numbers: usize,
    log: bool,
}

impl<'r> Along<'r> {
    pub(super) fn of(data: &Data<'r>, dimension: &'r str) -> Along<'r> {
        let labels = data.labels_of(dimension);
        let mut places: Vec<(&str, f64)> =
            labels.iter().filter_map(|label| Some((*label, number(label)?))).collect();
        places.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        let numbers = places.len();
        let (low, high) = (places[0].1, places[numbers - 1].1);
        let log = low > 0.0 && high / low > LOG_FROM;
        let gaps = (numbers - 1).max(1) as f64;
        let mut end = high;
        for label in labels.iter().filter(|label| number(label).is_none()) {
            end = if log { end * (high / low).powf(1.0 / gaps) } else { end + (high - low) / gaps };
            places.push((label, end));
        }
        Along { dimension, places, numbers, log }
    }

    pub(super) fn axis(&self) -> Axis {
        let (low, high) = (self.places[0].1, self.places[self.places.len() - 1].1);
        let (low, high) = if self.log {
            let pad = (high / low).powf(0.05);
            (low / pad, high * pad)
        } else {
            let pad = if high > low { 0.05 * (high - low) } else { 1.0 };
            (low - pad, high + pad)
        };
        let ticks = self.places.iter().map(|(label, at)| (*at, (*label).to_owned())).collect();
        let scale = Scale::Numbers { low, high, log: self.log, ticks: Some(ticks) };
        let words = self.dimension.replace('_', " ");
        Axis { title: capital(&words), scale }
    }

    pub(super) fn is_log(&self) -> bool {
        self.log
    }

    /// How heights over this axis are cut: those over logarithmic places may be logarithmic too.
    pub(super) fn fit(&self) -> Fit {
        if self.log { Fit::Spread(30) } else { Fit::Zero }
    }

    pub(super) fn at(&self, label: &str) -> Option<f64> {
        self.places.iter().find(|(known, _)| *known == label).map(|(_, at)| *at)
    }

    pub(super) fn is_number(&self, label: &str) -> bool {
        self.places[..self.numbers].iter().any(|(known, _)| *known == label)
    }

    /// The numbers, ascending, with more between them, as a smooth curve needs.
    pub(super) fn fine(&self) -> Vec<f64> {
        let (low, high) = (self.places[0].1, self.places[self.numbers - 1].1);
        let steps = 48;
        (0..=steps)
            .map(|step| {
                let share = f64::from(step) / f64::from(steps);
                if self.log { low * (high / low).powf(share) } else { low + share * (high - low) }
            })
            .collect()
    }

    /// A series as marks: lines between neighbouring numbers that were measured, a dot for every
    /// other label, whiskers where there are intervals. Tells whether there were any.
    pub(super) fn marks(
        &self,
        series: &Series<'_>,
        column: &str,
        factor: f64,
        look: Look,
        marks: &mut Vec<Mark>,
    ) -> bool {
        let mut whiskers = false;
        let mut run: Vec<(f64, f64)> = Vec::new();
        let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
        for (label, at) in &self.places {
            let row = series.rows.iter().find(|(known, _)| known == label).map(|(_, row)| *row);
            let Some(row) = row else { continue };
            let Some(found) = figure(row, column) else {
                // A gap, not a line over what was not measured.
                runs.push(std::mem::take(&mut run));
                continue;
            };
            if let Some((low, high)) = interval(row, column) {
                let (from, to) = ((*at, low * factor), (*at, high * factor));
                marks.push(Mark::Whisker { from, to, look });
                whiskers = true;
            }
            let at = (*at, found.mean * factor);
            if self.is_number(label) {
                run.push(at);
            } else {
                marks.push(Mark::Dot { at, look, label: None });
            }
        }
        runs.push(run);
        for points in runs.into_iter().filter(|run| !run.is_empty()) {
            marks.push(Mark::Line { points, look, beads: Beads::All });
        }
        whiskers
    }
}

/// `words` with a large first letter.
pub(super) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Which series share a panel.
#[derive(Debug, Clone)]
pub(super) struct Group<'r> {
    /// The job, if each has a panel of its own.
    pub(super) title: String,
    pub(super) series: Vec<(Series<'r>, Look)>,
}

/// Series in panels, with the legend and how many series are left out. Jobs share a panel unless
/// their figures differ so much that one would be flat, or there are too many lines.
pub(super) fn groups<'r>(
    data: &Data<'r>,
    axis: &'r str,
    column: &str,
) -> (Vec<Group<'r>>, Vec<Key>, usize) {
    let all: Vec<Series<'_>> =
        data.series(axis).into_iter().filter(|one| top(one, column).is_some()).collect();
    let tops: Vec<f64> = data
        .jobs
        .iter()
        .filter_map(|job| {
            all.iter()
                .filter(|one| one.job == *job && *job != ALL)
                .filter_map(|one| top(one, column))
                .reduce(f64::max)
        })
        .collect();
    let (least, most) = (
        tops.iter().copied().fold(f64::INFINITY, f64::min),
        tops.iter().copied().fold(0.0, f64::max),
    );
    let apart = tops.len() > 1 && (most > APART * least || all.len() > LOOKS);
    let with_job = data.jobs.len() > 1 && !apart;
    let names = distinct_names(all.iter().map(|one| one.name(with_job)));
    let score = |name: &str| {
        let own = all.iter().filter(|one| one.name(with_job) == name);
        own.filter_map(|one| top(one, column)).fold(0.0, f64::max)
    };
    let kept = pick(&names, data.results.baseline.as_deref(), LOOKS, score);
    let look = |name: &str| kept.iter().position(|known| known == name).map(look_of);
    let titles: Vec<&str> = if apart { data.jobs.clone() } else { vec![""] };
    let groups = titles
        .into_iter()
        .map(|title| {
            let own = all.iter().filter(|one| !apart || one.job == title);
            let own = own.filter_map(|one| Some((one.clone(), look(&one.name(with_job))?)));
            Group {
                title: if apart { job_words(title) } else { String::new() },
                series: own.collect(),
            }
        })
        .filter(|group| !group.series.is_empty())
        .collect();
    let legend = kept.iter().enumerate().filter(|_| kept.len() > 1);
    let legend = legend
        .map(|(index, name)| Key { sign: Sign::Line(look_of(index)), label: name.clone() })
        .collect();
    (groups, legend, names.len() - kept.len())
}

fn top(series: &Series<'_>, column: &str) -> Option<f64> {
    let rows: Vec<&Row> = series.rows.iter().map(|(_, row)| *row).collect();
    largest(&rows, &[column])
}
