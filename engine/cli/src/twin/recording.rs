//! The record of an earlier run: its plan, its tasks, and what its policy could see of them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use sage_core::event::{Event, Kind};
use sage_core::metrics::{Recorder, RecorderConfig, Summary, TaskOutcome};
use sage_dataflow::demand::{Part, outline};
use sage_dataflow::{DECISIONS, TASKS};
use sage_dsl::experiment::MAX_NODES;
use sage_dsl::plan::Plan;
use serde_json::Value;

use super::table::Table;
use crate::exit::usage;
use crate::regular;

/// A run as it left it.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) plan: Plan,
    pub(crate) workers: usize,
    pub(crate) seed: u64,
    /// `live`, `sim` or `twin`.
    pub(crate) backend: String,
    /// Tasks whose times are known, in order of arrival.
    pub(crate) tasks: Vec<Recorded>,
    /// Tasks that were late before they ran: when they arrived and when they were given up. Nobody
    /// knows what they would have taken.
    pub(crate) never_ran: Vec<(u64, u64)>,
    /// Median of the time inside the policy and from decision to worker, microseconds.
    pub(crate) overhead_us: (Option<f64>, Option<f64>),
    /// For people: what the folder does not hold, and what follows from that.
    pub(crate) notes: Vec<String>,
}

/// One task of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) id: u64,
    pub(crate) node: u32,
    pub(crate) arrived_ns: u64,
    pub(crate) decided_ns: u64,
    pub(crate) started_ns: u64,
    pub(crate) finished_ns: u64,
    pub(crate) outcome: TaskOutcome,
    /// Whether all its records ended in what stands before the scheduler, which never saw it.
    pub(crate) unscheduled: bool,
    /// Time in each stage; `None` for one it did not come to.
    pub(crate) stages_ns: Vec<Option<u64>>,
    pub(crate) seen: Seen,
}

impl Recorded {
    /// Whether any of its records succeeded.
    pub(crate) fn is_ok(&self) -> bool {
        matches!(self.outcome, TaskOutcome::Ok | TaskOutcome::Partial)
    }
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

/// A file of JSON; `None` when it is not there.
fn json(folder: &Path, name: &str) -> anyhow::Result<Option<Value>> {
    let path = folder.join(name);
    let text = match regular::read_text(&path, regular::DESCRIPTION) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(usage(format!("`{}`: {error}", path.display()))),
    };
    let damaged = |error| usage(format!("`{}` is damaged: {error}", path.display()));
    serde_json::from_str(&text).map(Some).map_err(damaged)
}

/// A file of JSON without which a folder is none of a run.
fn needed(folder: &Path, name: &str) -> anyhow::Result<Value> {
    json(folder, name)?.ok_or_else(|| {
        let mut text = format!("`{}` is no folder of a run: it has no {name}", folder.display());
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut runs: Vec<String> = entries
            .filter(|entry| entry.path().join(name).is_file())
            .map(|entry| entry.path().display().to_string())
            .collect();
        runs.sort();
        if !runs.is_empty() {
            text.push_str(&format!("; there are runs in {}", runs.join(", ")));
        }
        usage(text)
    })
}

/// What the policy could see, by task.
type Sights = HashMap<u64, Seen>;

/// What the policy could see, and what is to be said of it.
fn seen(folder: &Path) -> anyhow::Result<(Option<Sights>, Option<String>)> {
    let alike = "policies see all tasks alike";
    if !folder.join(DECISIONS).exists() {
        return Ok((None, Some(format!("the run has no {DECISIONS}; {alike}"))));
    }
    let table = Table::read(folder, DECISIONS)?;
    if !table.has("priority") {
        let text = format!("{DECISIONS} does not say what the policy saw of the tasks; {alike}");
        return Ok((None, Some(text)));
    }
    let mut seen = HashMap::new();
    for at in 0..table.rows() {
        let one = Seen {
            priority: table.need(at, "priority")?,
            due_ns: table.ns(at, "due_ms")?,
            flow: table.need(at, "flow")?,
            affinity: table.need(at, "affinity")?,
            expected_ns: table.ns(at, "expected_ms")?,
            critical_ns: table.ns(at, "critical_ms")?,
        };
        seen.insert(table.need(at, "task_id")?, one);
    }
    Ok((Some(seen), None))
}

fn outcome(table: &Table, at: usize) -> anyhow::Result<TaskOutcome> {
    let all = [TaskOutcome::Ok, TaskOutcome::Partial, TaskOutcome::Dead, TaskOutcome::Late];
    let found = table.cell(at, "outcome");
    all.into_iter().find(|outcome| outcome.as_str() == found).ok_or_else(|| {
        let words = all.map(TaskOutcome::as_str).join(", ");
        table.wrong(at, format!("column `outcome`: `{found}` is none of {words}"))
    })
}

/// The tasks of a run, as its table has them.
#[derive(Default)]
struct Tasks {
    ran: Vec<Recorded>,
    never_ran: Vec<(u64, u64)>,
    /// Tasks that ran, without a decision.
    undecided: usize,
}

impl Tasks {
    fn read(
        table: &Table,
        plan: &Plan,
        workers: usize,
        seen: Option<&Sights>,
    ) -> anyhow::Result<Tasks> {
        let names: Vec<String> = plan.stages().map(|stage| format!("{}_ms", stage.name)).collect();
        let usual = ["task_id", "node", "arrived_ms", "decided_ms", "started_ms", "finished_ms"];
        let columns = usual.into_iter().chain(["outcome"]);
        table.must_have(columns.chain(names.iter().map(String::as_str)))?;
        let mut behind: Vec<usize> = Vec::new();
        for part in outline(plan).behind {
            match part {
                Part::Local(stages) => behind.extend(stages.iter().map(|at| usize::from(*at))),
                Part::Ask(members) => {
                    behind.extend(members.iter().map(|member| usize::from(member.stage)));
                }
            }
        }
        let mut tasks = Tasks::default();
        let mut ids = HashSet::new();
        for at in 0..table.rows() {
            let id: u64 = table.need(at, "task_id")?;
            if !ids.insert(id) {
                return Err(table.wrong(at, format!("task {id} was there before")));
            }
            let outcome = outcome(table, at)?;
            let arrived_ns = table.need_ns(at, "arrived_ms")?;
            let finished_ns = table.need_ns(at, "finished_ms")?;
            let decided = table.ns(at, "decided_ms")?;
            let started = table.ns(at, "started_ms")?;
            let times = [Some(arrived_ns), decided, started, Some(finished_ns)];
            if !times.iter().flatten().is_sorted() {
                return Err(table.wrong(
                    at,
                    "times go back: a task arrives, is decided on, starts \
                     and finishes in this order",
                ));
            }
            let (Some(decided_ns), Some(started_ns)) = (decided, started) else {
                tasks.never_ran.push((arrived_ns, finished_ns));
                continue;
            };
            // A task that was only passed on, because nothing of it was left, ran nowhere.
            let node =
                if table.cell(at, "node").is_empty() { 0 } else { table.need(at, "node")? };
            if node as usize >= workers {
                let text = format!("node {node}; the run had nodes 0 to {}", workers - 1);
                return Err(table.wrong(at, text));
            }
            let stages_ns: Vec<Option<u64>> =
                names.iter().map(|name| table.ns(at, name)).collect::<anyhow::Result<_>>()?;
            let came = behind.iter().any(|stage| stages_ns[*stage].is_some());
            let own = seen.and_then(|seen| seen.get(&id)).copied();
            tasks.undecided += usize::from(seen.is_some() && own.is_none() && came);
            tasks.ran.push(Recorded {
                id,
                node,
                arrived_ns,
                decided_ns,
                started_ns,
                finished_ns,
                outcome,
                // Late is what the scheduler, or a stage behind it, says of a task.
                unscheduled: own.is_none()
                    && !came
                    && !behind.is_empty()
                    && outcome != TaskOutcome::Late,
                stages_ns,
                seen: own.unwrap_or_default(),
            });
        }
        tasks.ran.sort_by_key(|task| (task.arrived_ns, task.id));
        Ok(tasks)
    }
}

impl Recording {
    /// Read the folder that a run, on whatever backend, has left.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Recording> {
        let plan: Plan = serde_json::from_value(needed(folder, "plan.json")?).map_err(|error| {
            usage(format!("`{}` is damaged: {error}", folder.join("plan.json").display()))
        })?;
        let setup = needed(folder, "setup.json")?;
        let number = |name: &str| setup.get(name).and_then(Value::as_u64);
        let most = u64::from(MAX_NODES);
        let workers = number("workers").filter(|workers| (1..=most).contains(workers));
        let workers = workers.ok_or_else(|| {
            let (path, found) = (folder.join("setup.json"), &setup["workers"]);
            usage(format!("`{}`: workers {found}: expected 1 to {most}", path.display()))
        })? as usize;
        let threads = number("threads").unwrap_or(1);
        if threads > 1 {
            return Err(usage(format!(
                "`{}` was run with {threads} dataflow threads in each worker; the twin knows one",
                folder.display()
            )));
        }
        let mut notes = Vec::new();
        let metrics = json(folder, "metrics.json")?;
        if metrics.is_none() {
            notes.push(
                "the run has no metrics.json, so it did not end by itself; what a decision takes is \
                 the twin's own figure"
                    .to_owned(),
            );
        }
        let (seen, note) = seen(folder)?;
        notes.extend(note);
        let table = Table::read(folder, TASKS)?;
        let tasks = Tasks::read(&table, &plan, workers, seen.as_ref())?;
        if tasks.ran.is_empty() {
            return Err(usage(format!("`{}` has no task that ran", folder.display())));
        }
        if tasks.undecided > 0 {
            notes.push(format!(
                "{DECISIONS} is not whole: {} tasks ran and are not in it; policies see these alike",
                tasks.undecided
            ));
        }
        if !tasks.never_ran.is_empty() {
            notes.push(format!(
                "{} tasks never ran in the recorded run, and count as late under every policy: \
                 nobody knows what they would have taken",
                tasks.never_ran.len()
            ));
        }
        let figure = |name: &str| metrics.as_ref()?.get(name).and_then(Value::as_f64);
        let listed = tasks.ran.len() + tasks.never_ran.len();
        // A run that lost workers lists the tasks of the last ones; a prediction loses none.
        let count = |name: &str| metrics.as_ref()?.get(name).and_then(Value::as_u64);
        let ended = || count("tasks_in")?.checked_sub(count("tasks_pending")?);
        let counted = count("tasks_covered").or_else(ended);
        if let Some(covered) = counted.filter(|counted| *counted != listed as u64) {
            notes.push(format!(
                "{TASKS} and metrics.json do not agree: the one lists {listed} tasks, the other \
                 counts {covered}; the replay is of those that are listed"
            ));
        }
        Ok(Recording {
            plan,
            workers,
            seed: number("seed").unwrap_or(0),
            backend: setup["backend"].as_str().unwrap_or("live").to_owned(),
            tasks: tasks.ran,
            never_ran: tasks.never_ran,
            overhead_us: (figure("decision_p50_us"), figure("dispatch_p50_us")),
            notes,
        })
    }

    /// Tell `recorder` what became of the tasks that no policy decides on: those that ended before
    /// the scheduler, and those that never ran.
    pub(crate) fn note_undecided(&self, recorder: &mut Recorder) {
        for (id, task) in (0..).zip(&self.tasks).filter(|(_, task)| task.unscheduled) {
            task.note(id, recorder);
        }
        let first = self.tasks.len() as u64;
        for (id, (arrived_ns, finished_ns)) in (first..).zip(&self.never_ran) {
            recorder.observe(&Event::new(Kind::Arrived, id, *arrived_ns));
            recorder.observe(&Event::new(Kind::Shed, id, *finished_ns));
        }
    }

    /// The figures of the recorded run, by the same recorder as those of its replays, and likewise
    /// with one record for each task.
    pub(crate) fn summary(&self) -> Summary {
        let stages = self.plan.stages().map(|stage| stage.name.clone()).collect();
        let slots = self.plan.schedule.slots;
        let mut recorder = Recorder::new(RecorderConfig::new(self.workers, slots, stages));
        for (id, task) in (0..).zip(&self.tasks).filter(|(_, task)| !task.unscheduled) {
            task.note(id, &mut recorder);
        }
        self.note_undecided(&mut recorder);
        recorder.finish()
    }
}

impl Recorded {
    /// Tell `recorder` what became of it, as task `id`.
    fn note(&self, id: u64, recorder: &mut Recorder) {
        let event = |kind, at_ns| Event { node: self.node, ..Event::new(kind, id, at_ns) };
        recorder.observe(&event(Kind::Arrived, self.arrived_ns));
        let detail = u16::from(self.unscheduled);
        recorder.observe(&Event { detail, ..event(Kind::Decided, self.decided_ns) });
        recorder.observe(&event(Kind::Started, self.started_ns));
        for (stage, ns) in self.stages_ns.iter().enumerate() {
            let Some(ns) = ns else { continue };
            let done = event(Kind::StageDone, self.finished_ns);
            recorder.observe(&Event { stage: stage as u16, value: *ns, ..done });
        }
        let kind = if self.outcome == TaskOutcome::Late { Kind::Shed } else { Kind::Completed };
        let (value, extra) = if self.is_ok() { (1, 0) } else { (0, 1) };
        recorder.observe(&Event { value, extra, ..event(kind, self.finished_ns) });
    }
}
