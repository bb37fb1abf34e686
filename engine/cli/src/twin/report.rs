//! What a simulated run leaves behind: the folder of a run, and words that say what it is.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sage_core::metrics::{Summary, summary_text};
use sage_dsl::catalog::EndpointUse;
use sage_dsl::plan::Plan;
use sage_lab::results::Verdict;
use sage_twin::station::StationStats;
use serde_json::{Map, Value, json};

use super::{Course, JobCourse, Servers, TwinJob, TwinRun, Worked, losses};
use crate::exit::Exit;
use crate::run::VERSION;
use crate::run::report::{SCHEMA, host, left_out, objectives, scheduler, shown, write_json};

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

/// Write what is known of all jobs beforehand. From then on their folders are known as those of
/// predictions, also when nothing more comes of it.
pub(crate) fn write_setups(
    run: &TwinRun,
    worked: &Worked,
    folders: &[PathBuf],
) -> anyhow::Result<()> {
    for (at, folder) in folders.iter().enumerate() {
        let (Some(job), Some(own)) = (run.jobs.get(at), worked.jobs.get(at)) else { continue };
        write_json(folder, "setup.json", &setup(run, job, &own.servers))?;
        let mut plan = serde_json::to_value(&job.plan)?;
        if let Some(plan) = plan.as_object_mut() {
            plan.insert("backend".into(), json!(BACKEND));
        }
        write_json(folder, "plan.json", &plan)?;
    }
    Ok(())
}

/// Write the folders of all jobs; the tables of tasks are there already.
pub(crate) fn write_jobs(
    run: &TwinRun,
    worked: &Worked,
    reports: &[Report],
    folders: &[PathBuf],
) -> anyhow::Result<()> {
    write_setups(run, worked, folders)?;
    for (report, folder) in reports.iter().zip(folders) {
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
    let outcome = &course.outcome;
    let busy = outcome.jobs.get(at).map_or(&[][..], |job| &job.cpu_busy_ns);
    if let Some(Value::Array(nodes)) = fields.get_mut("nodes") {
        for (number, (node, busy_ns)) in nodes.iter_mut().zip(busy).enumerate() {
            if let Some(node) = node.as_object_mut() {
                let (attempts, busy_s) = losses::of_node(run, course, at, number);
                node.insert("cpu_s".into(), json!(seconds(*busy_ns)));
                node.insert("attempts_lost".into(), json!(attempts));
                node.insert("busy_lost_s".into(), json!(busy_s));
            }
        }
    }
    let plan = &job.plan;
    let known = worked.jobs.get(at);
    let kept_back = known.map_or(0, |job| job.left_out);
    let exit = exit_of(job, summary, kept_back);
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
        .filter_map(|(plan, of)| course.outcome.endpoints.get(*of).map(|stats| (plan, stats)))
        .map(|(plan, stats)| endpoint(&plan.name, stats, at))
        .collect();
    head.insert("endpoint_stats".into(), Value::Array(stats));
    // The gateway works for all jobs; each is booked the same part, so that their sum is right.
    let nodes: u64 = busy.iter().sum();
    let gateway = outcome.gateway_busy_ns / run.jobs.len().max(1) as u64;
    head.insert("cpu_s".into(), json!(seconds(nodes + gateway)));
    head.insert("supervisor_cpu_s".into(), json!(seconds(gateway)));
    head.insert("workers_cpu_s".into(), json!(seconds(nodes)));
    head.insert("rss_peak_mb".into(), Value::Null);
    head.insert("supervisor_rss_peak_mb".into(), Value::Null);
    head.insert("left_out".into(), json!(kept_back));
    head.insert("violations".into(), json!(outcome.violations));
    head.insert("speeds".into(), json!(run.cluster.speeds));
    head.insert("failures".into(), losses::figures(run, course, at));
    if run.jobs.len() > 1 {
        head.insert("offset_s".into(), json!(own.started_s));
    }
    let mut metrics = Value::Object(head);
    let verdicts = objectives(plan, &metrics);
    if let Some(fields) = metrics.as_object_mut().filter(|_| !verdicts.is_empty()) {
        fields.insert("slo".into(), serde_json::to_value(&verdicts)?);
    }
    let mut notes = losses::lines(run, course, at);
    for note in known.into_iter().flat_map(|job| &job.notes) {
        notes.push_str(&format!("note        {note}\n"));
    }
    let summary = text(run, job, servers, summary, &metrics, &notes) + &verdict_lines(&verdicts);
    Ok(Report { metrics, summary, verdicts, exit })
}

/// What job `at` has asked of an endpoint. As in a real run, the limit is that of all jobs, and so
/// is what can only be said of the servers.
fn endpoint(name: &str, stats: &StationStats, at: usize) -> Value {
    let own = stats.jobs.get(at).cloned().unwrap_or_default();
    json!({
        "name": name,
        "limit": stats.limit,
        "limit_reason": null,
        "calls": own.calls,
        "ok": own.ok,
        "errors": own.errors,
        "attempts": own.attempts,
        "retries": own.retries,
        "max_in_flight": own.max_in_flight,
        "prompt_tokens": own.prompt_tokens,
        "completion_tokens": own.completion_tokens,
        "cached_tokens": stats.cached_tokens,
        "preemptions": stats.preemptions,
        "busy_s": seconds(stats.busy_ns),
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn exit_of(job: &TwinJob, summary: &Summary, left_out: u64) -> Exit {
    let counts = &summary.counts;
    let missing = job.tasks.is_some_and(|asked| counts.tasks_in + left_out < asked);
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
    notes: &str,
) -> String {
    let plan = &job.plan;
    let hosts = match run.cluster.cores {
        Some(cores) => format!("on one host of {cores} core(s)"),
        None => "each on a host of its own".into(),
    };
    let mut heading = vec![
        ("pipeline", plan.name.clone()),
        ("backend", format!("{LABEL}: predicted, nothing was run")),
        ("endpoint", label(plan, servers).unwrap_or_else(|| "none".into())),
        ("cluster", format!("{} worker(s) x {} slots, {hosts}", job.workers, plan.schedule.slots)),
        ("scheduler", scheduler(plan)),
    ];
    if !run.cluster.speeds.is_empty() {
        let speeds: Vec<String> = run.cluster.speeds.iter().map(f64::to_string).collect();
        heading.push(("speeds", format!("{}, repeated over the nodes", speeds.join(", "))));
    }
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
    text + &left_out(metrics) + notes
}

/// The objectives of the program, one a line.
pub(crate) fn verdict_lines(verdicts: &[Verdict]) -> String {
    let line = |verdict: &Verdict| {
        let detail = verdict.detail.join("; ");
        format!("objective   {}: {detail} (predicted)\n", verdict.condition)
    };
    verdicts.iter().map(line).collect()
}
