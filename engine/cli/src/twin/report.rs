//! What a simulated run leaves behind: the folder of a run, and words that say what it is.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sage_core::metrics::{Summary, summary_text};
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::Plan;
use sage_lab::results::Verdict;
use sage_twin::station::StationStats;
use serde_json::{Map, Value, json};

use super::{Course, JobCourse, Servers, TwinJob, TwinRun, Worked};
use crate::exit::Exit;
use crate::run::VERSION;
use crate::run::report::{SCHEMA, host, objectives, scheduler, shown, write_json};

/// The word for where the figures come from.
pub(crate) const BACKEND: &str = "twin";
/// How every text begins to speak of it.
pub(crate) const LABEL: &str = "twin (virtual time)";

/// One job's report.
pub(crate) struct Report {
    pub(crate) metrics: Value,
    pub(crate) summary: String,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) exit: Exit,
}

/// Reports on all jobs of a run.
pub(crate) fn reports(
    run: &TwinRun,
    worked: &Worked,
    course: &Course,
) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for (at, (job, own)) in run.jobs.iter().zip(&course.jobs).enumerate() {
        reports.push(report(run, worked, course, at, job, own)?);
    }
    Ok(reports)
}

/// Write the folders of all jobs; the tables of tasks are there already.
pub(crate) fn write_jobs(
    run: &TwinRun,
    worked: &Worked,
    reports: &[Report],
    folders: &[PathBuf],
) -> anyhow::Result<()> {
    for (at, (report, folder)) in reports.iter().zip(folders).enumerate() {
        let (Some(job), Some(own)) = (run.jobs.get(at), worked.jobs.get(at)) else { continue };
        write_json(folder, "setup.json", &setup(run, job, &own.servers))?;
        write_json(folder, "plan.json", &serde_json::to_value(&job.plan)?)?;
        write_json(folder, "metrics.json", &report.metrics)?;
        write(folder, "summary.txt", &report.summary)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Labels of the endpoints that generate, else of all.
fn label(plan: &Plan, servers: &[Servers]) -> Option<String> {
    let generating: Vec<usize> = plan
        .stages()
        .filter(|stage| stage.calls == EndpointUse::Generate)
        .filter_map(|stage| stage.endpoint)
        .collect();
    let mut labels: Vec<String> = Vec::new();
    for (at, servers) in servers.iter().enumerate() {
        let label = servers.label();
        if (generating.is_empty() || generating.contains(&at)) && !labels.contains(&label) {
            labels.push(label);
        }
    }
    (!labels.is_empty()).then(|| labels.join(", "))
}

fn arrivals(job: &TwinJob) -> String {
    let arrivals = job.arrivals.clone().unwrap_or_default();
    crate::run::arrivals::shown(&arrivals)
}

fn setup(run: &TwinRun, job: &TwinJob, servers: &[Servers]) -> Value {
    let plan = &job.plan;
    let params: Vec<Value> = plan
        .params
        .iter()
        .map(|(name, value)| json!({"name": name, "value": shown(value)}))
        .collect();
    let failures: Vec<Value> = run
        .cluster
        .failures
        .iter()
        .map(|failure| {
            let seconds = |ns: u64| ns as f64 / 1e9;
            json!({"node": failure.node, "at_s": seconds(failure.at_ns),
                "for_s": failure.for_ns.map(seconds)})
        })
        .collect();
    json!({
        "program": job.program,
        "pipeline": plan.name,
        "version": VERSION,
        "started": humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        "workers": job.workers,
        "threads": 1,
        "slots": plan.schedule.slots,
        "scheduler": scheduler(plan),
        "seed": run.seed,
        "tasks": job.tasks,
        "limit": job.limit,
        "arrivals": arrivals(job),
        "params": params,
        "endpoint": label(plan, servers),
        "backend": BACKEND,
        "host_cores": run.cluster.cores,
        "speeds": run.cluster.speeds,
        "failures": failures,
        "host": host(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

fn report(
    run: &TwinRun,
    worked: &Worked,
    course: &Course,
    at: usize,
    job: &TwinJob,
    own: &JobCourse,
) -> anyhow::Result<Report> {
    let summary = &own.summary;
    let Value::Object(mut fields) = serde_json::to_value(summary)? else {
        anyhow::bail!("the summary is no object");
    };
    if let Some(Value::Array(nodes)) = fields.get_mut("nodes") {
        for (node, used) in nodes.iter_mut().zip(&course.outcome.nodes) {
            if let Some(node) = node.as_object_mut() {
                node.insert("cpu_s".into(), json!(seconds(used.cpu_busy_ns)));
            }
        }
    }
    let exit = exit_of(job, summary);
    let plan = &job.plan;
    let known = worked.jobs.get(at);
    let servers = known.map_or(&[][..], |job| &job.servers);
    let mut head = Map::new();
    head.insert("schema".into(), json!(SCHEMA));
    let status = if exit == Exit::Complete { "complete" } else { "incomplete" };
    head.insert("status".into(), json!(status));
    head.insert("pipeline".into(), json!(plan.name));
    head.insert("backend".into(), json!(BACKEND));
    head.insert("endpoint".into(), json!(label(plan, servers)));
    head.insert("scheduler".into(), json!(scheduler(plan)));
    head.insert("workers".into(), json!(job.workers));
    head.insert("threads".into(), json!(1));
    head.insert("slots".into(), json!(plan.schedule.slots));
    head.insert("seed".into(), json!(run.seed));
    head.insert("arrivals".into(), json!(arrivals(job)));
    // Nothing starts and nothing is taken down in virtual time.
    head.insert("startup_s".into(), Value::Null);
    head.insert("drain_s".into(), Value::Null);
    head.insert("wall_s".into(), json!(own.wall_s));
    head.append(&mut fields);
    let endpoints = known.map_or(&[][..], |job| &job.endpoints);
    let stats: Vec<Value> = plan
        .endpoints
        .iter()
        .zip(endpoints)
        .filter_map(|(plan, at)| course.outcome.endpoints.get(*at).map(|stats| (plan, stats)))
        .map(|(plan, stats)| endpoint(&plan.name, stats))
        .collect();
    head.insert("endpoint_stats".into(), Value::Array(stats));
    let nodes: u64 = course.outcome.nodes.iter().map(|node| node.cpu_busy_ns).sum();
    let gateway = course.outcome.gateway_busy_ns;
    head.insert("cpu_s".into(), json!(seconds(nodes + gateway)));
    head.insert("supervisor_cpu_s".into(), json!(seconds(gateway)));
    head.insert("workers_cpu_s".into(), json!(seconds(nodes)));
    head.insert("rss_peak_mb".into(), Value::Null);
    head.insert("supervisor_rss_peak_mb".into(), Value::Null);
    head.insert("violations".into(), json!(course.outcome.violations));
    if run.jobs.len() > 1 {
        head.insert("offset_s".into(), json!(own.started_s));
    }
    let mut metrics = Value::Object(head);
    let verdicts = objectives(plan, &metrics);
    if let Some(fields) = metrics.as_object_mut().filter(|_| !verdicts.is_empty()) {
        fields.insert("slo".into(), serde_json::to_value(&verdicts)?);
    }
    let summary =
        text(run, job, servers, summary, &metrics, &verdicts, known.map(|job| &job.notes));
    Ok(Report { metrics, summary, verdicts, exit })
}

/// With several jobs these are the figures of all of them.
fn endpoint(name: &str, stats: &StationStats) -> Value {
    json!({
        "name": name,
        "limit": stats.limit,
        "limit_reason": null,
        "calls": stats.calls,
        "ok": stats.ok,
        "errors": stats.errors,
        "attempts": stats.attempts,
        "retries": stats.retries,
        "max_in_flight": stats.max_in_flight,
        "prompt_tokens": stats.prompt_tokens,
        "completion_tokens": stats.completion_tokens,
        "cached_tokens": stats.cached_tokens,
        "preemptions": stats.preemptions,
        "busy_s": seconds(stats.busy_ns),
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn exit_of(job: &TwinJob, summary: &Summary) -> Exit {
    let counts = &summary.counts;
    let missing = job.tasks.is_some_and(|asked| counts.tasks_in < asked);
    if missing || counts.tasks_dead + counts.tasks_late + counts.tasks_pending > 0 {
        Exit::Incomplete
    } else {
        Exit::Complete
    }
}

fn text(
    run: &TwinRun,
    job: &TwinJob,
    servers: &[Servers],
    summary: &Summary,
    metrics: &Value,
    verdicts: &[Verdict],
    notes: Option<&Vec<String>>,
) -> String {
    let plan = &job.plan;
    let hosts = match run.cluster.cores {
        Some(cores) => format!("on one host of {cores} core(s)"),
        None => "each on a host of its own".into(),
    };
    let heading = vec![
        ("pipeline", plan.name.clone()),
        ("backend", format!("{LABEL}: predicted, nothing was run")),
        ("endpoint", label(plan, servers).unwrap_or_else(|| "none".into())),
        ("cluster", format!("{} worker(s) x {} slots, {hosts}", job.workers, plan.schedule.slots)),
        ("scheduler", scheduler(plan)),
    ];
    let mut text = summary_text(summary, &heading);
    text.push('\n');
    for endpoint in metrics["endpoint_stats"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "limit       {} at `{}` at the end; at most {} calls at once\n",
            endpoint["limit"],
            endpoint["name"].as_str().unwrap_or_default(),
            endpoint["max_in_flight"]
        ));
    }
    for note in notes.into_iter().flatten() {
        text.push_str(&format!("note        {note}\n"));
    }
    text + &verdict_lines(verdicts)
}

/// The objectives of the program, one a line.
pub(crate) fn verdict_lines(verdicts: &[Verdict]) -> String {
    use sage_lab::results::Outcome;
    let line = |verdict: &Verdict| {
        let word = match verdict.outcome {
            Outcome::Holds => "holds",
            Outcome::Fails => "FAILS",
            Outcome::NotMeasurable => "not measurable",
        };
        let detail = verdict.detail.join("; ");
        format!("slo         {word:<6} {} ({detail}; predicted)\n", verdict.condition)
    };
    verdicts.iter().map(line).collect()
}
