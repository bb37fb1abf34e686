//! The files and words a run leaves behind.

mod folder;
mod metrics;
mod text;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sage_core::metrics::Summary;
use sage_dataflow::sinks::{file_name, header, join_parts};
use sage_dsl::plan::Plan;
use serde_json::{Value, json};

use super::Course;
use super::options::Options;
use super::services::Services;
use crate::exit::Exit;

use self::folder::cut_half_line;
pub(crate) use self::folder::{Folder, OWN_FILES};
use self::metrics::partial;

/// What is known of a run before it begins.
pub(crate) struct Report<'r> {
    plan: &'r Plan,
    options: &'r Options,
    services: Option<&'r Services>,
    /// The run's folder.
    pub(crate) out: &'r Path,
}

impl<'r> Report<'r> {
    pub(crate) fn new(
        plan: &'r Plan,
        options: &'r Options,
        services: Option<&'r Services>,
        out: &'r Path,
    ) -> Self {
        Report { plan, options, services, out }
    }

    /// Write `setup.json` and `plan.json`: enough to know what was run, on what.
    pub(crate) fn write_setup(&self) -> anyhow::Result<()> {
        let options = self.options;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let setup = json!({
            "program": options.program,
            "pipeline": self.plan.name,
            "version": super::VERSION,
            "started": humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
            "workers": options.workers,
            "threads": options.threads,
            "slots": self.plan.schedule.slots,
            "scheduler": self.scheduler(),
            "seed": options.seed,
            "tasks": options.tasks,
            "limit": options.limit,
            "rate_per_s": options.rate,
            "params": self.plan.params.iter().map(|(name, value)| json!({"name": name, "value": shown(value)})).collect::<Vec<_>>(),
            "endpoint": self.endpoint(),
            "backend": self.backend(),
            "host": host(),
            "cores": cores,
        });
        self.write("setup.json", &pretty(&setup)?)?;
        self.write("plan.json", &pretty(&serde_json::to_value(self.plan)?)?)
    }

    /// Join the parts, write the figures, say how it went.
    pub(crate) fn finish(self, course: Course, wall: Duration) -> anyhow::Result<Exit> {
        let whole = course.failure.is_none() && course.outcomes.iter().any(|o| o.summary.is_some());
        let mut files = Vec::new();
        for (i, sink) in self.plan.sinks.iter().enumerate() {
            let rows: u64 = course.outcomes.iter().filter_map(|o| o.rows.get(i)).sum();
            match file_name(sink) {
                Some(name) => {
                    let joined = join_parts(self.out, &name, &header(sink), whole)?;
                    files.push((name, joined.lines.unwrap_or(rows)));
                }
                None => files.push(("standard output".to_owned(), rows)),
            }
        }
        join_parts(self.out, sage_dataflow::DEAD_LETTERS, b"", whole)?;
        if !whole {
            for name in [sage_dataflow::TASKS, sage_dataflow::DECISIONS] {
                cut_half_line(&self.out.join(name))?;
            }
        }
        // Only left over when something else lies in it.
        let _ = std::fs::remove_dir(sage_dataflow::sinks::parts_folder(self.out));

        let summary = course.outcomes.iter().find_map(|outcome| outcome.summary.clone());
        let summary = summary.unwrap_or_else(|| partial(&course, self.options.workers));
        let exit = exit_of(&course, &summary, self.options.tasks);
        let metrics = self.metrics(&course, &summary, wall, exit)?;
        self.write("metrics.json", &pretty(&metrics)?)?;
        let text = self.text(&course, &summary, &metrics, &files);
        self.write("summary.txt", &text)?;
        if self.options.json {
            println!("{}", pretty(&metrics)?);
        } else if !self.options.quiet {
            eprint!("\n{text}");
        }
        if let Some(asked) = self.options.tasks
            && summary.counts.tasks_in < asked
            && exit == Exit::Incomplete
        {
            let came = summary.counts.tasks_in;
            eprintln!(
                "error: --tasks {asked}: the source gave {came} records, even when read again"
            );
        }
        if let Some(failure) = &course.failure {
            eprintln!("error: {failure}");
        }
        Ok(exit)
    }

    /// The policy with its arguments, as a program would say it.
    pub(crate) fn scheduler(&self) -> String {
        let schedule = &self.plan.schedule;
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

    fn backend(&self) -> &'static str {
        if self.services.is_some_and(|services| services.simulated) { "sim" } else { "live" }
    }

    fn endpoint(&self) -> Option<String> {
        self.services.map(|services| {
            let mixed =
                if services.simulated && services.live { " (some are simulated)" } else { "" };
            format!("{}{mixed}", services.label)
        })
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}

fn exit_of(course: &Course, summary: &Summary, asked: Option<u64>) -> Exit {
    let counts = &summary.counts;
    if course.interrupted {
        Exit::Interrupted
    } else if course.failure.is_some() {
        Exit::Failed
    } else if counts.tasks_dead + counts.tasks_late + counts.tasks_pending > 0
        || asked.is_some_and(|asked| counts.tasks_in < asked)
    {
        Exit::Incomplete
    } else {
        Exit::Complete
    }
}

fn shown(value: &sage_dsl::types::Value) -> String {
    use sage_dsl::types::Value as Constant;
    match value {
        Constant::Null => "null".into(),
        Constant::Bool(flag) => flag.to_string(),
        Constant::Int(n) => n.to_string(),
        Constant::Float(x) => x.to_string(),
        Constant::String(text) => text.clone(),
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

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("", |(_, model)| model.trim());
    format!("{} {model}", name.trim()).trim().to_owned()
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
