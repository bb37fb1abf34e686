//! What is known of simulated jobs that ran together: `trial.json`, the same in each job's figures,
//! and a table of all, as of a run of several programs.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::report::{BACKEND, LABEL};
use super::{Course, Report, TwinRun};
use crate::run::report::write_json;

/// The file of a folder of jobs that tells what holds for all.
const TRIAL: &str = "trial.json";

/// What is known of all jobs; each job's part goes into its figures as well.
pub(crate) fn facts(run: &TwinRun, course: &Course, reports: &mut [Report]) -> Value {
    let names: Vec<&str> = run.jobs.iter().map(|job| job.name.as_str()).collect();
    let wall_s = course.outcome.end_ns as f64 / 1e9;
    let mut entries = Vec::new();
    for ((job, own), report) in run.jobs.iter().zip(&course.jobs).zip(reports) {
        let facts = json!({
            "job": job.name,
            "pipeline": job.plan.name,
            "share": job.share,
            "stagger_s": job.start_ns as f64 / 1e9,
            "status": report.metrics["status"],
            "began_s": own.started_s,
            "ended_s": own.started_s + own.wall_s,
        });
        if let (Some(metrics), Value::Object(own)) = (report.metrics.as_object_mut(), &facts) {
            let mut trial: Map<String, Value> = own.clone();
            trial.insert("jobs".into(), json!(names));
            trial.insert("fair".into(), json!(run.fair));
            trial.insert("shared_wall_s".into(), json!(wall_s));
            metrics.insert("trial".into(), Value::Object(trial));
        }
        entries.push(facts);
    }
    let mut endpoints: Vec<Value> = Vec::new();
    let plans = run.jobs.iter().flat_map(|job| &job.plan.endpoints);
    for stats in &course.outcome.endpoints {
        let name = plans.clone().map(|plan| plan.name.as_str()).nth(endpoints.len());
        endpoints.push(json!({
            "name": name,
            "limit": stats.limit,
            "calls": stats.calls,
            "ok": stats.ok,
            "errors": stats.errors,
            "attempts": stats.attempts,
            "retries": stats.retries,
            "max_in_flight": stats.max_in_flight,
            "prompt_tokens": stats.prompt_tokens,
            "completion_tokens": stats.completion_tokens,
        }));
    }
    json!({
        "backend": BACKEND,
        "fair": run.fair,
        "shared_wall_s": wall_s,
        "jobs": entries,
        "endpoints": endpoints,
    })
}

/// The jobs beside each other.
pub(crate) fn table(facts: &Value, reports: &[Report]) -> String {
    let jobs = || facts["jobs"].as_array().into_iter().flatten();
    let name = |job: &Value| job["job"].as_str().unwrap_or_default().to_owned();
    let width = jobs().map(|job| name(job).len()).max().unwrap_or(0).max("job".len());
    let mut text = format!(
        "{LABEL}: predicted, nothing was run\n\n{:<width$}  {:>10}  {:>9}  {:>9}  {:>9}  {:>12}  {:>10}  {:>8}\n",
        "job", "status", "began s", "ended s", "tasks ok", "tasks/s", "p99 ms", "balance"
    );
    let number = |value: &Value, digits: usize| {
        value.as_f64().map_or_else(|| "-".into(), |x| format!("{x:.digits$}"))
    };
    for (job, report) in jobs().zip(reports) {
        let metrics = &report.metrics;
        text.push_str(&format!(
            "{:<width$}  {:>10}  {:>9}  {:>9}  {:>9}  {:>12}  {:>10}  {:>8}\n",
            name(job),
            metrics["status"].as_str().unwrap_or("-"),
            number(&job["began_s"], 2),
            number(&job["ended_s"], 2),
            metrics["tasks_ok"],
            number(&metrics["throughput_per_s"], 2),
            number(&metrics["latency_p99_ms"], 1),
            number(&metrics["balance"], 3),
        ));
    }
    text
}

/// Write `trial.json` and the common `summary.txt`.
pub(crate) fn write(root: &Path, facts: &Value, table: &str) -> anyhow::Result<()> {
    write_json(root, TRIAL, facts)?;
    std::fs::write(root.join("summary.txt"), table)?;
    Ok(())
}
