//! The files and words a run leaves behind.

mod folder;
mod memory;
mod metrics;
mod text;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sage_core::metrics::{Counts, Summary};
use sage_dataflow::commit::{self, Outcomes};
use sage_dataflow::sinks::{join_parts, join_sink, published};
use sage_dataflow::sources;
use sage_dataflow::{RunClock, is_served};
use sage_dsl::plan::Plan;
use sage_lab::results::{Outcome, Verdict};
use serde_json::{Value, json};

use super::arrivals::shown as shown_arrivals;
use super::execute::reads_stdin;
use super::follow::Course;
use super::options::Options;
use super::services::Access;
use super::{JobRun, RunResult};
use crate::exit::Exit;

use self::folder::cut_half_line;
pub(crate) use self::folder::{Folder, LOCK, OWN_FILES, SETUP, new_folder};
pub(crate) use self::metrics::SCHEMA;
use self::metrics::partial;
pub(crate) use self::text::left_out;

/// Where rows of a sink go that answers requests.
const ANSWERS: &str = "answers to clients, gone ones too";

/// Arrivals of a run that was not told how: each record arrives when there is room for it.
const AS_TAKEN: &str = "as_taken";

/// What is known of a job's run before it begins.
pub(crate) struct Report<'r> {
    pub(crate) job: &'r JobRun,
    pub(crate) access: Option<&'r Access>,
    /// The run's folder.
    pub(crate) out: &'r Path,
    /// Zero of the run's clock, on the host's.
    pub(crate) origin_ns: u64,
    /// What the supervisor had used before, seconds.
    pub(crate) own_cpu_s: f64,
    /// Jobs that the supervisor works for.
    pub(crate) company: usize,
}

impl Report<'_> {
    fn plan(&self) -> &Plan {
        &self.job.plan
    }

    fn options(&self) -> &Options {
        &self.job.options
    }

    /// Write `setup.json` and `plan.json`: enough to know what was run, on what.
    pub(crate) fn write_setup(&self) -> anyhow::Result<()> {
        let options = self.options();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let slots = self.plan().schedule.slots;
        let nodes = options.launch.places(options.workers, &BTreeSet::new())?;
        let setup = json!({
            "program": options.program,
            "pipeline": self.plan().name,
            "version": super::VERSION,
            "started": humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
            "workers": options.workers,
            "threads": options.threads,
            "slots": slots,
            "launcher": options.launch.name(),
            "nodes": nodes.iter().map(|node| node.to_json(slots)).collect::<Vec<_>>(),
            "scheduler": self.scheduler(),
            "seed": options.seed,
            "tasks": options.tasks,
            "limit": options.limit,
            "arrivals": self.arrivals(),
            "params": self.plan().params.iter().map(|(name, value)| json!({"name": name, "value": shown(value)})).collect::<Vec<_>>(),
            "endpoint": self.endpoint(),
            "backend": self.backend(),
            "host": host(),
            "cores": cores,
        });
        write_json(self.out, "setup.json", &setup)?;
        write_json(self.out, "plan.json", &serde_json::to_value(self.plan())?)
    }

    /// Join the parts and write the figures.
    pub(crate) fn finish(self, course: &Course, wall: Duration) -> anyhow::Result<RunResult> {
        let whole = course.failure.is_none() && course.outcomes.iter().any(|o| o.summary.is_some());
        let summary = course.outcomes.iter().find_map(|outcome| outcome.summary.clone());
        let mut summary = summary.unwrap_or_else(|| partial(course, self.options().workers));
        // What is committed is what there is; events may have been lost with a worker, or have told
        // of what was not committed any more.
        let commit = commit::read(self.out)?;
        summary.counts = committed(summary.counts, commit.outcomes);
        // A run that ended before its time goes on from its parts.
        let ended = whole && !course.interrupted && summary.counts.tasks_pending == 0;
        // Clients may ask for ever: a service is never done, and goes on when it is started again.
        let service = is_served(self.plan());
        let finished = ended && !service || reads_stdin(self.plan());
        let mut files = Vec::new();
        for (i, sink) in self.plan().sinks.iter().enumerate() {
            if let Some((name, joined)) = join_sink(self.out, sink, &commit, finished)? {
                files.push((self.out.join(name).display().to_string(), joined.rows));
            } else if let Some(sent) = published(self.out, sink, &commit)? {
                if sent.kept > 0 {
                    let then = if finished { "lost" } else { "the same command delivers them" };
                    let place = format!("{}, not delivered: {then}", self.out.display());
                    files.push((place, sent.kept));
                }
                files.push((sent.place, sent.delivered));
            } else {
                let rows = course.outcomes.iter().filter_map(|o| o.rows.get(i)).sum();
                let printed = sink.kind == "stdout";
                let place = if printed { "standard output" } else { ANSWERS };
                files.push((place.to_owned(), rows));
            }
        }
        join_parts(self.out, sage_dataflow::DEAD_LETTERS, b"", &commit, finished)?;
        if !whole {
            for name in [sage_dataflow::TASKS, sage_dataflow::DECISIONS] {
                cut_half_line(&self.out.join(name))?;
            }
        }
        let dead_rows = commit.dead_rows();
        let left_out: u64 = course.outcomes.iter().map(|outcome| outcome.left_out).sum();
        let exit = if service && whole && summary.counts.tasks_pending == 0 {
            // It ends when it is told to, and each client knows what became of its request.
            Exit::Complete
        } else {
            let missing = |asked| summary.counts.tasks_in + left_out < asked;
            let short = self.options().tasks.is_some_and(missing);
            exit_of(course, &summary, dead_rows, short)
        };
        let mut metrics = self.metrics(course, &summary, wall, exit)?;
        if let Some(fields) = metrics.as_object_mut() {
            fields.insert("dead_rows".into(), json!(dead_rows));
            fields.insert("left_out".into(), json!(left_out));
        }
        let verdicts = objectives(self.plan(), &metrics);
        if let Some(fields) = metrics.as_object_mut().filter(|_| !verdicts.is_empty()) {
            fields.insert("slo".into(), serde_json::to_value(&verdicts)?);
        }
        write_json(self.out, "metrics.json", &metrics)?;
        let text = self.text(course, &summary, &metrics, &files, &verdicts);
        self.write("summary.txt", &text)?;
        let mut complaints = Vec::new();
        let told = self.plan().source().map(|source| sources::settle(source, self.out, &commit));
        if let Some(Err(error)) = told {
            complaints.push(error.to_string());
        }
        // Last of all: until here, the same command would make these files again.
        if finished {
            commit::discard(self.out)?;
        }

        if let Some(asked) = self.options().tasks
            && summary.counts.tasks_in < asked
            && exit == Exit::Incomplete
        {
            let came = summary.counts.tasks_in;
            complaints.push(format!(
                "--tasks {asked}: the source gave {came} records, even when read again"
            ));
        }
        let missed = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Holds);
        let strict = self.options().strict_slo;
        complaints.extend(missed.filter(|_| strict).map(|verdict| {
            format!("--strict-slo: `{}`: {}", verdict.condition, verdict.detail.join("; "))
        }));
        complaints.extend(course.failure.clone());
        let missed = strict && verdicts.iter().any(|verdict| verdict.outcome != Outcome::Holds);
        Ok(RunResult {
            exit: if exit == Exit::Complete && missed { Exit::Incomplete } else { exit },
            counts: summary.counts,
            metrics,
            summary: text,
            folder: self.out.to_owned(),
            complaints,
            began_s: course.began_ns.map(|at| at.saturating_sub(self.origin_ns) as f64 / 1e9),
            ended_s: RunClock::host_ns().saturating_sub(self.origin_ns) as f64 / 1e9,
        })
    }

    /// How records arrive, as a program would say it.
    fn arrivals(&self) -> String {
        self.options().arrivals.as_ref().map_or_else(|| AS_TAKEN.to_owned(), shown_arrivals)
    }

    /// The policy with its arguments, as a program would say it.
    pub(crate) fn scheduler(&self) -> String {
        scheduler(self.plan())
    }

    fn backend(&self) -> &'static str {
        if self.access.is_some_and(|access| access.simulated) { "sim" } else { "live" }
    }

    fn endpoint(&self) -> Option<String> {
        self.access.map(|access| {
            let mixed = if access.simulated && access.live { " (some are simulated)" } else { "" };
            format!("{}{mixed}", access.label)
        })
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write(self.out, name, text)
    }
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Write a file of a run's folder.
pub(crate) fn write_json(folder: &Path, name: &str, value: &Value) -> anyhow::Result<()> {
    write(folder, name, &(serde_json::to_string_pretty(value)? + "\n"))
}

/// What became of the objectives of a plan.
pub(crate) fn objectives(plan: &Plan, metrics: &Value) -> Vec<Verdict> {
    let Some(metrics) = metrics.as_object() else { return Vec::new() };
    plan.slo.iter().map(|claim| sage_lab::claims::objective(claim, metrics)).collect()
}

/// The counts of a run of which this is committed.
fn committed(counts: Counts, outcomes: Outcomes) -> Counts {
    let Outcomes { ok, dead, late, unreadable } = outcomes;
    let tasks_in = counts.tasks_in.max(outcomes.total());
    Counts {
        tasks_in,
        tasks_ok: ok,
        tasks_dead: dead + unreadable,
        tasks_late: late,
        tasks_pending: tasks_in - outcomes.total(),
    }
}

fn exit_of(course: &Course, summary: &Summary, dead_rows: u64, short: bool) -> Exit {
    let counts = &summary.counts;
    if course.interrupted {
        Exit::Interrupted
    } else if course.failure.is_some() {
        Exit::Failed
    } else if counts.tasks_dead + counts.tasks_late + counts.tasks_pending + dead_rows > 0 || short
    {
        Exit::Incomplete
    } else {
        Exit::Complete
    }
}

/// The policy of `plan` with its arguments, as a program would say it.
pub(crate) fn scheduler(plan: &Plan) -> String {
    let schedule = &plan.schedule;
    if schedule.policy_args.is_empty() {
        return schedule.policy.clone();
    }
    let args: Vec<_> = schedule
        .policy_args
        .iter()
        .map(|(name, value)| match value {
            sage_dsl::types::Value::String(word) => word.clone(),
            other if name.is_empty() => shown(other),
            other => format!("{name}: {}", shown(other)),
        })
        .collect();
    format!("{}({})", schedule.policy, args.join(", "))
}

/// A constant for people.
pub(crate) fn shown(value: &sage_dsl::types::Value) -> String {
    use sage_dsl::types::Value as Constant;
    match value {
        Constant::Null => "null".into(),
        Constant::Bool(flag) => flag.to_string(),
        Constant::Int(n) => n.to_string(),
        Constant::Float(x) => x.to_string(),
        Constant::String(text) => text.clone(),
        Constant::Time(ns) => sage_dsl::time::show(*ns),
        Constant::Duration(ns) => {
            humantime::format_duration(Duration::from_nanos(ns.unsigned_abs())).to_string()
        }
        Constant::Size(bytes) => format!("{bytes} B"),
        Constant::Rate(rate) => format!("{rate}/s"),
        Constant::Percent(share) => format!("{}%", share * 100.0),
        Constant::Tokens(n) => format!("{n} tokens"),
        Constant::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Constant::Call { name, .. } => name.clone(),
    }
}

pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("", |(_, model)| model.trim());
    format!("{} {model}", name.trim()).trim().to_owned()
}
