//! The record of an earlier run: its plan, its tasks, and what its policy could see of them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use sage_core::event::{Event, Kind};
use sage_core::metrics::{Recorder, RecorderConfig, Summary};
use sage_dataflow::{DECISIONS, TASKS};
use sage_dsl::plan::Plan;
use serde_json::Value;

use crate::exit::usage;

/// A run as it left it.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) plan: Plan,
    pub(crate) workers: usize,
    pub(crate) seed: u64,
    /// `live`, `sim` or `twin`.
    pub(crate) backend: String,
    /// Tasks that ran, in order of arrival.
    pub(crate) tasks: Vec<Recorded>,
    /// Tasks that never ran: nobody knows what they would have taken.
    pub(crate) never_ran: usize,
    /// Whether what the policy could see of the tasks is known.
    pub(crate) seen: bool,
    /// Median of the time inside the policy and from decision to worker, microseconds.
    pub(crate) overhead_us: (Option<f64>, Option<f64>),
}

/// One task of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) id: u64,
    pub(crate) node: u32,
    pub(crate) arrived_ns: u64,
    pub(crate) decided_ns: u64,
    pub(crate) started_ns: u64,
    pub(crate) finished_ns: u64,
    /// Whether any of its records succeeded.
    pub(crate) ok: bool,
    /// Time in each stage; `None` for one it did not come to.
    pub(crate) stages_ns: Vec<Option<u64>>,
    pub(crate) seen: Seen,
}

/// What the policy could see of a task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) priority: i64,
    pub(crate) due_ns: Option<u64>,
    pub(crate) flow: u64,
    pub(crate) affinity: u64,
    pub(crate) expected_ns: Option<u64>,
    pub(crate) critical_ns: Option<u64>,
}

/// A table with a head line, as runs write them: no value holds a comma.
struct Table {
    name: String,
    columns: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(folder: &Path, name: &str) -> anyhow::Result<Table> {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            usage(format!("`{}` is no folder of a run: {name}: {error}", folder.display()))
        })?;
        let split = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut lines = text.lines();
        let head = lines.next().map(split).unwrap_or_default();
        let rows: Vec<Vec<String>> = lines.map(split).collect();
        if let Some(at) = rows.iter().position(|row| row.len() != head.len()) {
            let (line, found, columns) = (at + 2, rows[at].len(), head.len());
            let path = path.display();
            return Err(usage(format!("{path}:{line}: {found} values, the head has {columns}")));
        }
        let columns = head.into_iter().enumerate().map(|(at, name)| (name, at)).collect();
        Ok(Table { name: path.display().to_string(), columns, rows })
    }

    fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// The text of a cell; empty when there is none.
    fn cell<'t>(&self, row: &'t [String], column: &str) -> &'t str {
        self.columns.get(column).and_then(|at| row.get(*at)).map_or("", String::as_str)
    }

    /// A cell that must be there.
    fn need<T: std::str::FromStr>(&self, at: usize, column: &str) -> anyhow::Result<T> {
        let cell = self.cell(&self.rows[at], column);
        cell.parse().map_err(|_| {
            let line = at + 2;
            usage(format!("{}:{line}: column `{column}`: cannot read `{cell}`", self.name))
        })
    }

    /// Milliseconds as nanoseconds; `None` for an empty cell.
    fn ns(&self, at: usize, column: &str) -> anyhow::Result<Option<u64>> {
        let cell = self.cell(&self.rows[at], column);
        if cell.is_empty() {
            return Ok(None);
        }
        nanoseconds(cell).map(Some).ok_or_else(|| {
            let line = at + 2;
            usage(format!("{}:{line}: column `{column}`: `{cell}` is no time", self.name))
        })
    }
}

/// Whole nanoseconds of milliseconds in digits, exactly.
fn nanoseconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part.parse().ok()?)
}

fn json(folder: &Path, name: &str) -> anyhow::Result<Value> {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        usage(format!("`{}` is no folder of a run: {name}: {error}", folder.display()))
    })?;
    serde_json::from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))
}

impl Recording {
    /// Read the folder that a run, on whatever backend, has left.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Recording> {
        let plan: Plan = serde_json::from_value(json(folder, "plan.json")?)
            .with_context(|| format!("cannot read the plan in `{}`", folder.display()))?;
        let setup = json(folder, "setup.json")?;
        let metrics = json(folder, "metrics.json").unwrap_or_default();
        let table = Table::read(folder, TASKS)?;
        let decisions = Table::read(folder, DECISIONS).ok().filter(|table| table.has("priority"));
        let mut seen = HashMap::new();
        for at in 0..decisions.as_ref().map_or(0, |table| table.rows.len()) {
            let Some(table) = &decisions else { break };
            let id: u64 = table.need(at, "task_id")?;
            seen.insert(
                id,
                Seen {
                    priority: table.need(at, "priority")?,
                    due_ns: table.ns(at, "due_ms")?,
                    flow: table.need(at, "flow")?,
                    affinity: table.need(at, "affinity")?,
                    expected_ns: table.ns(at, "expected_ms")?,
                    critical_ns: table.ns(at, "critical_ms")?,
                },
            );
        }
        let names: Vec<String> = plan.stages().map(|stage| format!("{}_ms", stage.name)).collect();
        let (mut tasks, mut never_ran) = (Vec::new(), 0);
        for at in 0..table.rows.len() {
            let (Some(decided_ns), Some(started_ns)) =
                (table.ns(at, "decided_ms")?, table.ns(at, "started_ms")?)
            else {
                never_ran += 1;
                continue;
            };
            let id = table.need(at, "task_id")?;
            let time = |column: &str| table.ns(at, column).map(Option::unwrap_or_default);
            let outcome = table.cell(&table.rows[at], "outcome");
            tasks.push(Recorded {
                id,
                // A task that was only passed on, because nothing of it was left, ran nowhere.
                node: table.need(at, "node").unwrap_or(0),
                arrived_ns: time("arrived_ms")?,
                decided_ns,
                started_ns,
                finished_ns: time("finished_ms")?,
                ok: matches!(outcome, "ok" | "partial"),
                stages_ns: names
                    .iter()
                    .map(|name| table.ns(at, name))
                    .collect::<anyhow::Result<_>>()?,
                seen: seen.get(&id).copied().unwrap_or_default(),
            });
        }
        if tasks.is_empty() {
            return Err(usage(format!("`{}` has no task that ran", folder.display())));
        }
        tasks.sort_by_key(|task| (task.arrived_ns, task.id));
        let number = |name: &str| setup.get(name).and_then(Value::as_u64);
        let workers = number("workers").unwrap_or(1).max(1) as usize;
        let threads = number("threads").unwrap_or(1);
        if threads > 1 {
            return Err(usage(format!(
                "`{}` was run with {threads} dataflow threads in each worker; the twin knows one",
                folder.display()
            )));
        }
        let figure = |name: &str| metrics.get(name).and_then(Value::as_f64);
        Ok(Recording {
            plan,
            workers,
            seed: number("seed").unwrap_or(0),
            backend: setup["backend"].as_str().unwrap_or("live").to_owned(),
            tasks,
            never_ran,
            seen: decisions.is_some(),
            overhead_us: (figure("decision_p50_us"), figure("dispatch_p50_us")),
        })
    }

    /// The figures of the recorded run, by the same recorder as those of its replays, and likewise
    /// with one record for each task.
    pub(crate) fn summary(&self) -> Summary {
        let stages = self.plan.stages().map(|stage| stage.name.clone()).collect();
        let slots = self.plan.schedule.slots;
        let mut recorder = Recorder::new(RecorderConfig::new(self.workers, slots, stages));
        for (number, task) in self.tasks.iter().enumerate() {
            let event =
                |kind, at_ns| Event { node: task.node, ..Event::new(kind, number as u64, at_ns) };
            recorder.observe(&event(Kind::Arrived, task.arrived_ns));
            recorder.observe(&event(Kind::Decided, task.decided_ns));
            recorder.observe(&event(Kind::Started, task.started_ns));
            for (stage, ns) in task.stages_ns.iter().enumerate() {
                let Some(ns) = ns else { continue };
                let done = event(Kind::StageDone, task.finished_ns);
                recorder.observe(&Event { stage: stage as u16, value: *ns, ..done });
            }
            let (value, extra) = if task.ok { (1, 0) } else { (0, 1) };
            let ended = event(Kind::Completed, task.finished_ns);
            recorder.observe(&Event { value, extra, ..ended });
        }
        recorder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        for (text, ns) in [("0", 0), ("1.5", 1_500_000), ("12.000001", 12_000_001)] {
            assert_eq!(nanoseconds(text), Some(ns));
        }
        assert_eq!(nanoseconds("-1"), None);
        assert_eq!(nanoseconds("1.x"), None);
    }
}
