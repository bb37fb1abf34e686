//! When the tasks of a job came and ended, from its `tasks.csv`.

use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::LabError;
use crate::files;

/// Name of the table in a run's folder.
pub(crate) const TASKS: &str = "tasks.csv";

/// Times of a job's tasks, seconds since its run began.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Times {
    /// The first arrival.
    pub(super) first_arrival: Option<f64>,
    /// When each task that succeeded, all of it or some, ended; ascending.
    pub(super) completions: Vec<f64>,
    /// When the last task ended, in whatever way.
    pub(super) last_end: Option<f64>,
}

impl Times {
    /// Read the table of the run in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Times, LabError> {
        let path = folder.join(TASKS);
        let file = files::open(&path).map_err(LabError::file("read", &path))?;
        let mut lines = BufReader::new(file).lines();
        let head = lines.next().transpose().map_err(LabError::file("read", &path))?;
        let head = head.unwrap_or_default();
        let position = |name: &str| {
            let found = head.split(',').position(|column| column == name);
            found.ok_or_else(|| LabError::content(&path, format!("it has no column `{name}`")))
        };
        let columns = [position("arrived_ms")?, position("finished_ms")?, position("outcome")?];
        let mut times = Times::default();
        for (number, line) in (2..).zip(lines) {
            let line = line.map_err(LabError::file("read", &path))?;
            times.take(&line, columns).ok_or_else(|| {
                LabError::content(&path, format!("line {number} is no task: {line}"))
            })?;
        }
        times.completions.sort_by(f64::total_cmp);
        Ok(times)
    }

    fn take(&mut self, line: &str, [arrived, finished, outcome]: [usize; 3]) -> Option<()> {
        // None of the first columns can hold a comma.
        let cells: Vec<&str> = line.split(',').collect();
        let seconds = |column: usize| {
            let ms: f64 = cells.get(column)?.parse().ok()?;
            Some(ms / 1e3)
        };
        let (arrived, finished) = (seconds(arrived)?, seconds(finished)?);
        self.first_arrival = Some(self.first_arrival.map_or(arrived, |first| first.min(arrived)));
        self.last_end = Some(self.last_end.map_or(finished, |last| last.max(finished)));
        if matches!(*cells.get(outcome)?, "ok" | "partial") {
            self.completions.push(finished);
        }
        Some(())
    }

    /// Share of the completions after `from` and not after `to`.
    pub(super) fn share_within(&self, from: f64, to: f64) -> f64 {
        let until = |time: f64| self.completions.partition_point(|end| *end <= time);
        let within = until(to).saturating_sub(until(from));
        within as f64 / self.completions.len().max(1) as f64
    }

    /// The same times, `offset` seconds later.
    pub(super) fn later(mut self, offset: f64) -> Times {
        self.first_arrival = self.first_arrival.map(|time| time + offset);
        self.last_end = self.last_end.map(|time| time + offset);
        self.completions.iter_mut().for_each(|time| *time += offset);
        self
    }
}
