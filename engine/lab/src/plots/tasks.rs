//! Times of single tasks from `tasks.csv`, counted while reading: a run of a million tasks takes as
//! little memory as a small one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use crate::LabError;
use crate::files;

/// A task that succeeded, all of it or some: seconds since its run began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Done {
    pub(super) arrived: f64,
    pub(super) finished: f64,
}

/// Call `take` for every task in the file that succeeded, in the order of the file. `false` if the
/// file is not there.
pub(super) fn each(path: &Path, mut take: impl FnMut(Done)) -> Result<bool, LabError> {
    let file = match files::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(LabError::file("read", path))?,
    };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    let mut next = |line: &mut String| {
        line.clear();
        let read = reader.read_line(line).map_err(LabError::file("read", path))?;
        line.truncate(line.trim_end().len());
        Ok::<bool, LabError>(read > 0)
    };
    next(&mut line)?;
    let position = |name: &str| {
        let found = line.split(',').position(|column| column == name);
        found.ok_or_else(|| LabError::content(path, format!("it has no column `{name}`")))
    };
    let (arrived, finished) = (position("arrived_ms")?, position("finished_ms")?);
    let outcome = position("outcome")?;
    let mut number = 1u64;
    while next(&mut line)? {
        number += 1;
        let cell = |column: usize| line.split(',').nth(column);
        let seconds = |column: usize| {
            let ms: f64 = cell(column)?.parse().ok()?;
            Some(ms / 1e3).filter(|seconds| (0.0..1e12).contains(seconds))
        };
        let task = cell(outcome).zip(seconds(arrived).zip(seconds(finished)));
        let Some((outcome, (arrived, finished))) = task else {
            let reason = format!("line {number} is no task with its times and outcome: `{line}`");
            return Err(LabError::content(path, reason));
        };
        if matches!(outcome, "ok" | "partial") {
            take(Done { arrived, finished });
        }
    }
    Ok(true)
}

/// Latencies in classes of half a percent, finer than any line is thick.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    classes: BTreeMap<i32, u64>,
    count: u64,
}

/// Classes for a factor of e.
const CLASSES: f64 = 200.0;
/// Latencies below it, in seconds, are one class.
const LEAST: f64 = 1e-6;

impl Latencies {
    pub(super) fn add(&mut self, seconds: f64) {
        let class = (seconds.max(LEAST).ln() * CLASSES).floor() as i32;
        *self.classes.entry(class).or_default() += 1;
        self.count += 1;
    }

    /// Latency in seconds and the share of tasks that took no longer, at most about `most` points.
    pub(super) fn curve(&self, most: usize) -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        let (mut below, mut shown) = (0u64, 0u64);
        let step = self.count.div_ceil(most.max(1) as u64).max(1);
        for (index, (class, count)) in self.classes.iter().enumerate() {
            let end = |class: i32| (f64::from(class + 1) / CLASSES).exp();
            if index == 0 {
                points.push((end(class - 1), 0.0));
            }
            below += count;
            if below - shown >= step || below == self.count {
                points.push((end(*class), below as f64 / self.count as f64));
                shown = below;
            }
        }
        points
    }
}

/// Completions in classes of time, as wide as the longest time needs.
#[derive(Debug, Clone)]
pub(super) struct Completions {
    counts: Vec<u64>,
    /// Width of a class in seconds.
    width: f64,
    first_arrival: f64,
}

/// Classes of time.
const BINS: usize = 1024;

impl Default for Completions {
    fn default() -> Self {
        Completions { counts: vec![0; BINS], width: 1e-3, first_arrival: f64::INFINITY }
    }
}

impl Completions {
    pub(super) fn add(&mut self, task: Done) {
        self.first_arrival = self.first_arrival.min(task.arrived);
        while task.finished >= self.width * BINS as f64 {
            let pairs = self.counts.chunks(2).map(|pair| pair.iter().sum());
            let mut merged: Vec<u64> = pairs.collect();
            merged.resize(BINS, 0);
            self.counts = merged;
            self.width *= 2.0;
        }
        self.counts[(task.finished / self.width) as usize] += 1;
    }

    /// Time and how many tasks were completed by then, `offset` seconds later than counted.
    pub(super) fn curve(&self, offset: f64) -> Vec<(f64, f64)> {
        let Some(last) = self.counts.iter().rposition(|count| *count > 0) else {
            return Vec::new();
        };
        let mut points = vec![(offset + self.first_arrival, 0.0)];
        let mut total = 0;
        for (class, count) in self.counts.iter().enumerate().take(last + 1) {
            total += count;
            let end = (class as f64 + 1.0) * self.width;
            if end > self.first_arrival {
                points.push((offset + end, total as f64));
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_curve_of_latencies_is_that_of_the_sorted_list(
            seconds in prop::collection::vec(1e-5..1e4f64, 1..300),
        ) {
            let mut latencies = Latencies::default();
            seconds.iter().for_each(|seconds| latencies.add(*seconds));
            let curve = latencies.curve(10_000);
            prop_assert!(curve[0].1.abs() < 1e-12 && (curve[curve.len() - 1].1 - 1.0).abs() < 1e-12);
            for (x, share) in &curve[1..] {
                let below = |factor: f64| {
                    let count = seconds.iter().filter(|s| **s <= x * factor).count();
                    count as f64 / seconds.len() as f64
                };
                prop_assert!(below(1.0 - 1e-9) <= *share + 1e-9 && *share <= below(1.0 + 1e-9) + 1e-9);
            }
            prop_assert!(latencies.curve(20).len() <= 22);
        }

        #[test]
        fn completions_are_counted_once_whatever_the_times(
            times in prop::collection::vec(0.0..1e6f64, 1..200), offset in 0.0..50.0f64,
        ) {
            let mut completions = Completions::default();
            for finished in &times {
                completions.add(Done { arrived: finished / 2.0, finished: *finished });
            }
            let curve = completions.curve(offset);
            prop_assert!((curve[curve.len() - 1].1 - times.len() as f64).abs() < 1e-9);
            prop_assert!(curve.windows(2).all(|p| p[0].0 <= p[1].0 && p[0].1 <= p[1].1));
            let last = times.iter().copied().fold(0.0, f64::max);
            let end = curve[curve.len() - 1].0 - offset;
            prop_assert!(end >= last && end <= last + last / 500.0 + 0.002, "{end} {last}");
            prop_assert!(curve.len() <= BINS + 1);
        }
    }

    #[test]
    fn only_tasks_that_succeeded_count_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.csv");
        let mut seen = Vec::new();
        assert!(!each(&path, |done| seen.push(done)).unwrap(), "no file");
        let head = "task_id,node,arrived_ms,decided_ms,started_ms,finished_ms,outcome,attempts\n";
        let lines = "0,1,0.5,1,2,1500.25,ok,1\n1,,0,,,9,late,0\n2,1,0,1,2,3000,partial,1\r\n";
        std::fs::write(&path, format!("{head}{lines}")).unwrap();
        assert!(each(&path, |done| seen.push(done)).unwrap());
        let expected =
            [Done { arrived: 0.0005, finished: 1.50025 }, Done { arrived: 0.0, finished: 3.0 }];
        assert_eq!(seen, expected);
        for (text, word) in [
            ("task_id,node\n1,2\n", "arrived_ms"),
            ("", "arrived_ms"),
            (&format!("{head}0,1,0,1,2,soon,ok,1\n") as &str, "line 2"),
            (&format!("{head}{lines}3,1\n"), "line 5"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = each(&path, |_| {}).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("tasks.csv"), "{error}");
        }
    }
}
