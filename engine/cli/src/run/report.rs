//! The files and words a run leaves behind.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sage_core::metrics::{Summary, balance, summary_text};
use sage_dataflow::sinks::{file_name, header, join_parts};
use sage_dsl::plan::Plan;
use serde_json::{Map, Value, json};

use super::Course;
use super::job::Usage;
use super::options::Options;
use super::services::Services;
use crate::exit::{Exit, usage};

/// Version of the shape of `metrics.json`.
const SCHEMA: u32 = 1;

/// Files every run writes.
pub(crate) const OWN_FILES: [&str; 8] = [
    "metrics.json",
    "summary.txt",
    "setup.json",
    "plan.json",
    sage_dataflow::TASKS,
    sage_dataflow::DECISIONS,
    sage_dataflow::TIMELINE,
    sage_dataflow::DEAD_LETTERS,
];

/// What is known of a run before it begins.
pub(crate) struct Report<'r> {
    plan: &'r Plan,
    options: &'r Options,
    services: Option<&'r Services>,
}

/// Make the output folder and clear what an earlier run left in it; tells whether there was one.
pub(crate) fn prepare(out: &Path) -> anyhow::Result<bool> {
    let failed = |error| usage(format!("--out {}: {error}", out.display()));
    let earlier = std::fs::read(out.join("plan.json")).ok();
    let earlier = earlier.and_then(|plan| serde_json::from_slice::<Plan>(&plan).ok());
    let sinks = earlier.iter().flat_map(|plan| plan.sinks.iter().filter_map(file_name));
    let own = OWN_FILES.iter().map(|name| (*name).to_owned());
    for name in sinks.chain(own) {
        match std::fs::remove_file(out.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
    }
    for folder in [sage_dataflow::sinks::parts_folder(out), out.join("index")] {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
    }
    std::fs::create_dir_all(sage_dataflow::sinks::parts_folder(out)).map_err(failed)?;
    Ok(earlier.is_some())
}

impl<'r> Report<'r> {
    pub(crate) fn new(
        plan: &'r Plan,
        options: &'r Options,
        services: Option<&'r Services>,
    ) -> Self {
        Report { plan, options, services }
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
                    let joined = join_parts(&self.options.out, &name, &header(sink), whole)?;
                    files.push((name, joined.lines.unwrap_or(rows)));
                }
                None => files.push(("standard output".to_owned(), rows)),
            }
        }
        join_parts(&self.options.out, sage_dataflow::DEAD_LETTERS, b"", whole)?;
        if !whole {
            for name in [sage_dataflow::TASKS, sage_dataflow::DECISIONS] {
                cut_half_line(&self.options.out.join(name))?;
            }
        }
        // Only left over when something else lies in it.
        let _ = std::fs::remove_dir(sage_dataflow::sinks::parts_folder(&self.options.out));

        let summary = course.outcomes.iter().find_map(|outcome| outcome.summary.clone());
        let summary = summary.unwrap_or_else(|| partial(&course, self.options.workers));
        let exit = exit_of(&course, &summary);
        let metrics = self.metrics(&course, &summary, wall, exit)?;
        self.write("metrics.json", &pretty(&metrics)?)?;
        let text = self.text(&course, &summary, &metrics, &files);
        self.write("summary.txt", &text)?;
        if self.options.json {
            println!("{}", pretty(&metrics)?);
        } else if !self.options.quiet {
            eprint!("\n{text}");
        }
        if let Some(failure) = &course.failure {
            eprintln!("error: {failure}");
        }
        Ok(exit)
    }

    fn metrics(
        &self,
        course: &Course,
        summary: &Summary,
        wall: Duration,
        exit: Exit,
    ) -> anyhow::Result<Value> {
        let Value::Object(mut fields) = serde_json::to_value(summary)? else {
            anyhow::bail!("the summary is no object");
        };
        let own = Usage::own();
        let workers_cpu: f64 = course.usage.values().map(|usage| usage.cpu_s).sum();
        let peak = course.usage.values().map(|usage| usage.rss_peak_mb).fold(0.0, f64::max);
        if let Some(Value::Array(nodes)) = fields.get_mut("nodes") {
            for (i, node) in nodes.iter_mut().enumerate() {
                let usage = course.usage.get(&i);
                if let (Some(node), Some(usage)) = (node.as_object_mut(), usage) {
                    node.insert("rss_mb".into(), json!(round(usage.rss_peak_mb)));
                    node.insert("cpu_s".into(), json!(usage.cpu_s));
                }
            }
        }
        let startup = course.outcomes.iter().find_map(|outcome| outcome.first_dispatch_s);
        let makespan = summary.makespan_s.unwrap_or(0.0);
        let drain = startup.map(|s| (wall.as_secs_f64() - s - makespan).max(0.0));
        let mut head = Map::new();
        head.insert("schema".into(), json!(SCHEMA));
        head.insert("status".into(), json!(status(exit)));
        head.insert("pipeline".into(), json!(self.plan.name));
        head.insert("backend".into(), json!(self.backend()));
        head.insert("endpoint".into(), json!(self.endpoint()));
        head.insert("scheduler".into(), json!(self.scheduler()));
        head.insert("workers".into(), json!(self.options.workers));
        head.insert("threads".into(), json!(self.options.threads));
        head.insert("slots".into(), json!(self.plan.schedule.slots));
        head.insert("seed".into(), json!(self.options.seed));
        head.insert("startup_s".into(), json!(startup));
        head.insert("drain_s".into(), json!(drain));
        head.insert("wall_s".into(), json!(wall.as_secs_f64()));
        head.append(&mut fields);
        head.insert("endpoint_stats".into(), self.endpoint_stats());
        head.insert("cpu_s".into(), json!(round(own.cpu_s + workers_cpu)));
        head.insert("supervisor_cpu_s".into(), json!(own.cpu_s));
        head.insert("workers_cpu_s".into(), json!(round(workers_cpu)));
        head.insert("rss_peak_mb".into(), json!(round(peak)));
        head.insert("supervisor_rss_peak_mb".into(), json!(round(own.rss_peak_mb)));
        Ok(Value::Object(head))
    }

    fn endpoint_stats(&self) -> Value {
        let Some(services) = self.services else { return json!([]) };
        let stats = services.stats.snapshot();
        let entry = |endpoint: &sage_llm::gateway::EndpointStats| {
            let total = &endpoint.total;
            json!({
                "name": endpoint.name,
                "limit": endpoint.limit,
                "calls": total.calls,
                "ok": total.ok,
                "errors": total.errors,
                "attempts": total.attempts,
                "retries": total.retries,
                "max_in_flight": total.max_in_flight,
                "prompt_tokens": total.prompt_tokens,
                "completion_tokens": total.completion_tokens,
                "cache_hits": 0,
                "jobs": endpoint.jobs,
            })
        };
        Value::Array(stats.endpoints.iter().map(entry).collect())
    }

    fn text(
        &self,
        course: &Course,
        summary: &Summary,
        metrics: &Value,
        files: &[(String, u64)],
    ) -> String {
        let mut heading = vec![
            ("pipeline", self.plan.name.clone()),
            ("endpoint", self.endpoint().unwrap_or_else(|| "none".into())),
            (
                "cluster",
                format!("{} worker(s) x {} slots", self.options.workers, self.plan.schedule.slots),
            ),
            ("scheduler", self.scheduler()),
        ];
        if course.interrupted {
            heading
                .push(("note", "interrupted: the figures are of what was done until then".into()));
        }
        if course.failure.is_some() {
            heading.push(("note", "failed: the figures are of what was done until then".into()));
        }
        let whole = course.outcomes.iter().any(|outcome| outcome.summary.is_some());
        let mut text =
            if whole { summary_text(summary, &heading) } else { short(summary, &heading) };
        let number = |name: &str| metrics.get(name).and_then(Value::as_f64);
        if let Some(startup) = number("startup_s") {
            text.push_str(&format!(
                "\nstart-up    {startup:.2} s to the first dispatch; {:.2} s of CPU; largest worker {:.1} MiB\n",
                number("cpu_s").unwrap_or(0.0),
                number("rss_peak_mb").unwrap_or(0.0)
            ));
        }
        for (name, lines) in files {
            let place = if name == "standard output" {
                name.clone()
            } else {
                self.options.out.join(name).display().to_string()
            };
            text.push_str(&format!("output      {lines} rows in {place}\n"));
        }
        let failed = summary.counts.tasks_dead + summary.counts.tasks_late;
        if failed > 0 {
            let path = self.options.out.join(sage_dataflow::DEAD_LETTERS);
            text.push_str(&format!(
                "failed      {failed} records, each with its reason, in {}\n",
                path.display()
            ));
        }
        text
    }

    fn scheduler(&self) -> String {
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
        let path = self.options.out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}

/// A killed worker may leave half a line at the end of a table.
fn cut_half_line(path: &Path) -> anyhow::Result<()> {
    let Ok(text) = std::fs::read(path) else { return Ok(()) };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        std::fs::write(path, &text[..whole])
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

fn exit_of(course: &Course, summary: &Summary) -> Exit {
    let counts = &summary.counts;
    if course.interrupted {
        Exit::Interrupted
    } else if course.failure.is_some() {
        Exit::Failed
    } else if counts.tasks_dead + counts.tasks_late + counts.tasks_pending > 0 {
        Exit::Incomplete
    } else {
        Exit::Complete
    }
}

fn status(exit: Exit) -> &'static str {
    match exit {
        Exit::Complete => "complete",
        Exit::Incomplete => "incomplete",
        Exit::Interrupted => "interrupted",
        Exit::Failed | Exit::Usage => "failed",
    }
}

/// The summary of a run whose first worker did not live to give one.
fn short(summary: &Summary, heading: &[(&str, String)]) -> String {
    let mut text: String =
        heading.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect();
    let counts = &summary.counts;
    text.push_str(&format!(
        "\nrecords     in {} = ok {} + dead {} + late {} + pending {} (as last reported, up to 0.2 s before the end)\n",
        counts.tasks_in, counts.tasks_ok, counts.tasks_dead, counts.tasks_late, counts.tasks_pending
    ));
    text
}

/// When the first worker did not live to give a summary, its last report of progress must do.
fn partial(course: &Course, workers: usize) -> Summary {
    let tasks = &course.progress.tasks;
    let counts = course.progress.counts;
    let nodes = (0..workers).map(|node| sage_core::metrics::NodeSummary {
        node: node as u32,
        tasks: tasks.get(node).copied().unwrap_or(0),
        // Not known; written as null.
        busy_s: f64::NAN,
    });
    let work: Vec<f64> = tasks.iter().map(|tasks| *tasks as f64).collect();
    Summary { counts, balance: balance(&work), nodes: nodes.collect(), ..Summary::default() }
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

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
