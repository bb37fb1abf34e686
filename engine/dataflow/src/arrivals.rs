//! When the source lets records in.
//!
//! The times come from `sage_core::arrivals`, so that the twin sees the same load. They do not
//! depend on how the work goes: a record that a full queue kept out for a while still arrived when
//! its time had come, and its latency counts from there. Were it stamped when it is let in, the
//! figures of an overloaded system would leave out just the waiting that the overload causes.

use std::path::Path;

use sage_core::arrivals::Times;
use sage_dsl::experiment::Arrivals;
use sage_dsl::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::error::DataflowError;
use crate::segments::morsel;

/// How the records of a run arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The rule.
    pub rule: Arrivals,
    /// Seed of what it draws.
    pub seed: u64,
}

/// Most arrivals of a trace.
const MOST_TIMES: usize = 10_000_000;

/// A file of arrival times: one number a line, seconds since the beginning, ascending; blank lines
/// and those that begin with `#` are left out. Gives nanoseconds.
pub fn read_trace(path: &Path) -> Result<Vec<u64>, DataflowError> {
    let failed = |reason| DataflowError::File { action: "read", path: path.to_owned(), reason };
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return Err(failed(std::io::Error::other("it is a pipe or a device, not a file")));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let bad = |line: usize, message: String| DataflowError::Arrivals {
        path: path.to_owned(),
        line: line + 1,
        message,
    };
    let mut times: Vec<u64> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let time = line.parse::<f64>().ok().filter(|time| (0.0..1e9).contains(time));
        let time = time.ok_or_else(|| {
            bad(
                number,
                format!("expected seconds since the beginning, such as 1.25; found `{line}`"),
            )
        })?;
        let time = (time * 1e9) as u64;
        if times.last().is_some_and(|last| *last > time) {
            return Err(bad(number, format!("{line} s is before the line above; sort the file")));
        }
        if times.len() == MOST_TIMES {
            return Err(bad(number, format!("more than {MOST_TIMES} arrivals")));
        }
        times.push(time);
    }
    if times.is_empty() {
        return Err(bad(0, "it holds no arrival".into()));
    }
    Ok(times)
}

/// Records of one task of `plan` when they arrive by `rule`.
///
/// A morsel must not wait long for its last record. So a task holds what arrives within about a
/// millisecond, and records whose times have no steady pace are tasks of their own.
pub fn task_size(plan: &Plan, rule: Option<&Arrivals>) -> usize {
    let morsel = morsel(plan);
    match rule {
        None | Some(Arrivals::Batch) => morsel,
        Some(Arrivals::Constant { per_s } | Arrivals::Poisson { per_s }) => {
            ((per_s / 1e3) as usize).clamp(1, morsel)
        }
        Some(Arrivals::Burst { .. } | Arrivals::Trace { .. }) => 1,
    }
}

/// The times of one run, on its clock.
pub(crate) struct Pace {
    times: Times,
    /// When time 0 is; known once the first record is there, or somebody says so.
    base_ns: Option<u64>,
    /// The last time that was taken.
    last_ns: u64,
    /// Time that nobody waits for, since it passed between records that were done before.
    saved_ns: u64,
}

/// Arrival of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Of its first record: the task's arrival.
    pub(crate) arrives_ns: u64,
    /// Of its last: it cannot be let in before.
    pub(crate) complete_ns: u64,
}

impl Pace {
    pub(crate) fn new(schedule: &Schedule) -> Result<Self, DataflowError> {
        let trace = match &schedule.rule {
            Arrivals::Trace { path } => read_trace(Path::new(path))?,
            _ => Vec::new(),
        };
        Ok(Pace {
            times: Times::new(&schedule.rule, &trace, schedule.seed),
            base_ns: None,
            last_ns: 0,
            saved_ns: 0,
        })
    }

    /// Time 0 is at `base_ns`, unless it was before.
    pub(crate) fn begin(&mut self, base_ns: u64) {
        self.base_ns.get_or_insert(base_ns);
    }

    /// So many records need not arrive any more. Their times are used up, and nobody waits for them.
    pub(crate) fn skip(&mut self, records: u64) {
        for time in self.times.by_ref().take(usize::try_from(records).unwrap_or(usize::MAX)) {
            self.saved_ns += time.saturating_sub(self.last_ns);
            self.last_ns = time;
        }
    }

    /// When the next task, of `records` records, arrives; the first one begins the clock `now_ns` if
    /// nobody did. `None` when no more will arrive.
    pub(crate) fn next(&mut self, records: usize, now_ns: u64) -> Option<Due> {
        let base = *self.base_ns.get_or_insert(now_ns);
        let mut times = self.times.by_ref().take(records.max(1));
        let first = times.next()?;
        let last = times.last().unwrap_or(first);
        self.last_ns = last;
        let due = |time: u64| base.saturating_add(time.saturating_sub(self.saved_ns));
        Some(Due { arrives_ns: due(first), complete_ns: due(last) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_says_which_line_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.txt");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_trace(&path).map_err(|error| error.to_string())
        };
        assert_eq!(
            read("# at\n0\n0.5\n\n0.5\n1e1\n").unwrap(),
            [0, 500_000_000, 500_000_000, 10_000_000_000]
        );
        for (text, line) in
            [("0\nx\n", ":2:"), ("1\n0.5\n", ":2:"), ("-1\n", ":1:"), ("NaN", ":1:"), ("", ":1:")]
        {
            let error = read(text).unwrap_err();
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn a_task_arrives_with_its_first_record_and_is_complete_with_its_last() {
        let rule = Arrivals::Constant { per_s: 10.0 };
        let mut pace = Pace::new(&Schedule { rule, seed: 0 }).unwrap();
        let ms = 1_000_000;
        let due = |arrives: u64, complete: u64| {
            Some(Due { arrives_ns: arrives * ms, complete_ns: complete * ms })
        };
        assert_eq!(pace.next(1, 7 * ms), due(7, 7), "the first one begins the clock");
        assert_eq!(pace.next(3, 900 * ms), due(107, 307), "later ones do not move it");
        pace.begin(0);
        assert_eq!(pace.next(1, 0), due(407, 407), "nor does anybody else");
        pace.skip(50);
        assert_eq!(pace.next(1, 0), due(507, 507), "nobody waits for what was done before");
        pace.skip(0);
        assert_eq!(pace.next(2, 0), due(607, 707));
    }
}
