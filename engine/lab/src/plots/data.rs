//! Results as plots need them: which rows, along which dimension, under what names.

use std::collections::BTreeSet;

use super::model::drawable;
use crate::results::{ALL, Column, Estimate, Results, Row, column};

/// The rows of results that were asked for, or a part of them, and the dimensions that tell them
/// apart.
#[derive(Debug, Clone)]
pub(super) struct Data<'r> {
    pub(super) results: &'r Results,
    /// Dimensions other than the job.
    pub(super) dimensions: Vec<&'r str>,
    /// In order of appearance, [`ALL`] last.
    pub(super) jobs: Vec<&'r str>,
    pub(super) rows: Vec<&'r Row>,
    /// What all rows have in common and no picture of all rows says: `nodes = 16`.
    pub(super) within: Option<(&'r str, &'r str)>,
}

impl<'r> Data<'r> {
    pub(super) fn of(results: &'r Results) -> Data<'r> {
        let rows: Vec<&Row> = results.asked().collect();
        let dimensions = results.dimensions.iter().map(String::as_str);
        let dimensions = dimensions.filter(|name| *name != "job").collect();
        Data { results, dimensions, jobs: jobs(&rows), rows, within: None }
    }

    /// The row's label in each dimension.
    pub(super) fn labels(&self, row: &'r Row) -> Vec<&'r str> {
        self.dimensions.iter().map(|name| row.label(name).unwrap_or("–")).collect()
    }

    /// The row's labels in words; empty without dimensions.
    pub(super) fn name(&self, row: &'r Row) -> String {
        self.labels(row).join(", ")
    }

    /// A row's name as the title of a panel: `stagger = 2s`, where there is only one dimension.
    pub(super) fn title_of(&self, name: &str) -> String {
        match self.dimensions[..] {
            [only] => format!("{} = {name}", only.replace('_', " ")),
            _ => name.to_owned(),
        }
    }

    /// All names, in order of appearance.
    pub(super) fn names(&self) -> Vec<String> {
        distinct(self.rows.iter().map(|row| self.name(row)))
    }

    /// Labels of a dimension, in order of appearance.
    pub(super) fn labels_of(&self, dimension: &str) -> Vec<&'r str> {
        distinct(self.rows.iter().filter_map(|row| row.label(dimension)))
    }

    pub(super) fn find(&self, job: &str, name: &str) -> Option<&'r Row> {
        self.rows.iter().copied().find(|row| row.job == job && self.name(row) == name)
    }

    /// The dimension to draw along: one of numbers, the one with the most of them. Nodes and
    /// concurrency come before others.
    pub(super) fn axis(&self) -> Option<&'r str> {
        let candidates = self.dimensions.iter().filter_map(|name| {
            let numbers =
                self.labels_of(name).into_iter().filter(|label| number(label).is_some()).count();
            let known = usize::from(matches!(*name, "nodes" | "concurrency"));
            (numbers >= 2).then_some(((known, numbers), *name))
        });
        let mut best: Option<((usize, usize), &str)> = None;
        for candidate in candidates {
            if best.is_none_or(|best| candidate.0 > best.0) {
                best = Some(candidate);
            }
        }
        best.map(|(_, name)| name)
    }

    /// Rows in series along `axis`: one for each job and combination of the other labels.
    pub(super) fn series(&self, axis: &str) -> Vec<Series<'r>> {
        let mut series: Vec<Series<'r>> = Vec::new();
        for row in &self.rows {
            let others = self.dimensions.iter().filter(|name| **name != axis);
            let others: Vec<&str> = others.map(|name| row.label(name).unwrap_or("–")).collect();
            let others = others.join(", ");
            let same = |one: &Series<'_>| one.job == row.job && one.others == others;
            let found = series.iter().position(same).unwrap_or_else(|| {
                series.push(Series { job: &row.job, others, rows: Vec::new() });
                series.len() - 1
            });
            if let Some(label) = row.label(axis) {
                series[found].rows.push((label, *row));
            }
        }
        series.sort_by_key(|one| self.jobs.iter().position(|job| *job == one.job));
        series
    }

    /// The same data in parts of at most `most` names each, told apart by one dimension; whole if
    /// there is no dimension that would do.
    pub(super) fn parts(&self, most: usize) -> Vec<Data<'r>> {
        let names = self.names().len();
        if names <= most {
            return vec![self.clone()];
        }
        let ways = self.dimensions.iter().map(|name| (self.labels_of(name).len(), *name));
        let enough = |(labels, _): &(usize, &str)| names.div_ceil((*labels).max(1)) <= most;
        let Some((_, by)) = ways.filter(enough).min_by_key(|(labels, _)| *labels) else {
            return vec![self.clone()];
        };
        let rest: Vec<&str> = self.dimensions.iter().copied().filter(|name| *name != by).collect();
        if rest.is_empty() {
            return vec![self.clone()];
        }
        let labels = self.labels_of(by);
        let part = |label: &'r str| {
            let rows: Vec<&Row> =
                self.rows.iter().copied().filter(|row| row.label(by) == Some(label)).collect();
            Data {
                results: self.results,
                dimensions: rest.clone(),
                jobs: jobs(&rows),
                rows,
                within: Some((by, label)),
            }
        };
        labels.into_iter().map(part).collect()
    }

    /// Whether several jobs ran at the same time.
    pub(super) fn together(&self) -> bool {
        self.jobs.contains(&ALL)
    }
}

/// Rows that differ in the dimension that is drawn along.
#[derive(Debug, Clone)]
pub(super) struct Series<'r> {
    pub(super) job: &'r str,
    /// Labels of the other dimensions; may be empty.
    pub(super) others: String,
    /// Label along the axis, and row.
    pub(super) rows: Vec<(&'r str, &'r Row)>,
}

impl Series<'_> {
    /// Its name where the job stands elsewhere, or does not.
    pub(super) fn name(&self, with_job: bool) -> String {
        match (with_job, self.others.is_empty()) {
            (false, _) => self.others.clone(),
            (true, true) => job_words(self.job),
            (true, false) => format!("{}, {}", job_words(self.job), self.others),
        }
    }
}

/// How a job is called in pictures.
pub(super) fn job_words(job: &str) -> String {
    if job == ALL { "all jobs".to_owned() } else { job.to_owned() }
}

fn jobs<'r>(rows: &[&'r Row]) -> Vec<&'r str> {
    let mut jobs = distinct(rows.iter().map(|row| row.job.as_str()));
    jobs.sort_by_key(|job| *job == ALL);
    jobs
}

/// Names in order of appearance, each once.
pub(super) fn distinct_names(names: impl Iterator<Item = String>) -> Vec<String> {
    distinct(names)
}

fn distinct<T: Ord + Clone>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(item.clone())).collect()
}

/// A figure of a row, if it was measured and has a place on paper.
pub(super) fn figure<'r>(row: &'r Row, column: &str) -> Option<&'r Estimate> {
    let found = row.figures.get(column)?;
    let measured = found.values.is_empty() || found.values.iter().any(Option::is_some);
    (measured && drawable(found.mean)).then_some(found)
}

/// Its mean.
pub(super) fn mean(row: &Row, column: &str) -> Option<f64> {
    figure(row, column).map(|found| found.mean)
}

/// Its interval, if it has one.
pub(super) fn interval(row: &Row, column: &str) -> Option<(f64, f64)> {
    sound(figure(row, column)?.interval)
}

/// An interval that can be drawn. One of repeats that are all the same is none.
pub(super) fn sound(interval: Option<(f64, f64)>) -> Option<(f64, f64)> {
    interval.filter(|(low, high)| drawable(*low) && drawable(*high) && low < high)
}

/// At most `most` of `names`, in their order: the baseline, and those with the largest and the
/// smallest scores by turns.
pub(super) fn pick(
    names: &[String],
    baseline: Option<&str>,
    most: usize,
    score: impl Fn(&str) -> f64,
) -> Vec<String> {
    if names.len() <= most {
        return names.to_vec();
    }
    let mut ranked: Vec<(f64, &String)> = names.iter().map(|name| (score(name), name)).collect();
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let base = names.iter().filter(|name| Some(name.as_str()) == baseline);
    let mut kept: Vec<&String> = base.collect();
    let (mut front, mut back) = (0, ranked.len());
    while kept.len() < most && front < back {
        let from_front = (front + ranked.len() - back).is_multiple_of(2);
        let next = if from_front { ranked[front].1 } else { ranked[back - 1].1 };
        (front, back) = if from_front { (front + 1, back) } else { (front, back - 1) };
        if !kept.contains(&next) {
            kept.push(next);
        }
    }
    names.iter().filter(|name| kept.contains(name)).cloned().collect()
}

/// Whether a value can be divided by and still be drawn.
pub(super) fn drawable_share(whole: f64) -> bool {
    drawable(whole) && whole > 0.0
}

/// The number in a label: `16`, `0.5`, `2s`, `500ms`, `20/s`; durations in seconds.
pub(super) fn number(label: &str) -> Option<f64> {
    let text = label.trim();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | '_')))
        .unwrap_or(text.len());
    let (value, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "s" | "/s" | "%" => 1.0,
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    if !value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+')) {
        return None;
    }
    let value: f64 = value.replace('_', "").parse().ok()?;
    Some(value * factor).filter(|value| drawable(*value))
}

/// A column with the unit in which it is drawn: milliseconds of long times become seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) column: &'static Column,
    /// From the column's unit to the one shown.
    pub(super) factor: f64,
    unit: &'static str,
}

impl Shown {
    /// The column called `name` for values up to `largest`.
    pub(super) fn of(name: &str, largest: f64) -> Option<Shown> {
        let column = column(name)?;
        let (factor, unit) = match column.unit {
            "ms" if largest >= 10_000.0 => (1e-3, "s"),
            "µs" if largest >= 10_000.0 => (1e-3, "ms"),
            unit => (1.0, unit),
        };
        Some(Shown { column, factor, unit })
    }

    /// `words`, with the unit behind it.
    pub(super) fn titled(self, words: &str) -> String {
        if self.unit.is_empty() { words.to_owned() } else { format!("{words} ({})", self.unit) }
    }

    /// The column's own title with the unit.
    pub(super) fn title(self) -> String {
        self.titled(self.column.title)
    }
}

/// The largest mean of some columns over rows; `None` if nothing was measured.
pub(super) fn largest<'r>(
    rows: impl IntoIterator<Item = &'r &'r Row>,
    columns: &[&str],
) -> Option<f64> {
    let means = rows.into_iter().flat_map(|row| columns.iter().map(|name| mean(row, name)));
    means.flatten().reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_count_are_numbers_and_names_are_not() {
        let cases = [
            ("16", Some(16.0)),
            ("0.5", Some(0.5)),
            ("2s", Some(2.0)),
            ("500ms", Some(0.5)),
            ("20/s", Some(20.0)),
            ("10_000", Some(10_000.0)),
            ("-1", Some(-1.0)),
            ("auto", None),
            ("low", None),
            ("16 nodes", None),
            ("load_aware(spread)", None),
            ("e5", None),
            ("", None),
            ("1e999", None),
        ];
        for (label, expected) in cases {
            assert_eq!(number(label), expected, "{label}");
        }
    }

    #[test]
    fn of_many_names_the_baseline_and_the_extremes_are_kept() {
        let names: Vec<String> = (0..20).map(|number| format!("n{number:02}")).collect();
        let score = |name: &str| name[1..].parse().unwrap();
        let kept = pick(&names, Some("n10"), 5, score);
        assert_eq!(kept, ["n00", "n01", "n10", "n18", "n19"]);
        assert_eq!(pick(&names, None, 3, score), ["n00", "n18", "n19"]);
        assert_eq!(pick(&names[..3], Some("n01"), 5, score), names[..3]);
    }

    #[test]
    fn long_times_are_shown_in_seconds() {
        let shown = Shown::of("latency_p99_ms", 39_900.0).unwrap();
        assert_eq!((shown.title().as_str(), shown.factor), ("P99 latency (s)", 1e-3));
        let shown = Shown::of("decision_p99_us", 900.0).unwrap();
        assert_eq!((shown.title().as_str(), shown.factor), ("P99 decision (µs)", 1.0));
        assert_eq!(Shown::of("balance", 1.0).unwrap().title(), "Balance");
    }
}
