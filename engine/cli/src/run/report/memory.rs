//! The memory of every process of a run: `processes` in `metrics.json`, and lines of the summary.
//!
//! A worker says every second what it holds, so that one that is killed counts with its last word.
//! Calls, journal, and simulated endpoints of the run live in the supervisor and are no processes of
//! their own; a server that was started by hand is none of the run.

use serde_json::{Value, json};

use super::super::follow::Course;
use super::super::job::Usage;
use super::Report;
use super::metrics::round;

/// Processes in a line of the summary.
const A_LINE: usize = 4;

/// Peak of the largest worker, lost ones included, MiB.
pub(super) fn largest_worker(course: &Course) -> f64 {
    let gone = course.gone.iter().map(|gone| gone.usage);
    gone.chain(course.usage.values().copied()).map(|usage| usage.rss_peak_mb).fold(0.0, f64::max)
}

/// One entry a process: first the supervisor, then the workers, the earliest ones first.
pub(super) fn processes(own: &Usage, course: &Course, report: &Report<'_>) -> Value {
    let mut hosts = Vec::new();
    if report.access.is_some() {
        hosts.push("gateway");
    }
    if report.plan().endpoints.iter().any(|endpoint| {
        endpoint.url.starts_with("sim:")
            || endpoint.replicas.iter().any(|url| url.starts_with("sim:"))
    }) {
        hosts.push("simulated endpoints");
    }
    let mut supervisor = entry("supervisor", own);
    supervisor["hosts"] = json!(hosts);
    supervisor["jobs"] = json!(report.company);
    let worker = |generation: u32, worker: usize, usage: &Usage, given_up: bool| {
        let mut entry = entry("worker", usage);
        entry["worker"] = json!(worker);
        entry["generation"] = json!(generation);
        entry["given_up"] = json!(given_up);
        entry
    };
    let gone =
        course.gone.iter().map(|gone| worker(gone.generation, gone.worker, &gone.usage, true));
    let last = course.usage.iter().map(|(at, usage)| worker(course.generation, *at, usage, false));
    Value::Array(std::iter::once(supervisor).chain(gone).chain(last).collect())
}

fn entry(process: &str, usage: &Usage) -> Value {
    json!({
        "process": process,
        "pid": usage.pid,
        "rss_end_mb": round(usage.rss_mb),
        "rss_peak_mb": round(usage.rss_peak_mb),
    })
}

/// The same for people.
pub(super) fn text(processes: &Value) -> String {
    let shown = |entry: &Value| {
        let number = |name: &str| entry[name].as_f64().unwrap_or(0.0);
        let hosts: Vec<&str> =
            entry["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut name = entry["process"].as_str().unwrap_or_default().to_owned();
        if let Some(worker) = entry["worker"].as_u64() {
            name.push_str(&format!(" {worker}"));
        }
        if !hosts.is_empty() {
            name.push_str(&format!(" with {}", hosts.join(" and ")));
        }
        if entry["jobs"].as_u64().is_some_and(|jobs| jobs > 1) {
            name.push_str(" (of all jobs)");
        }
        if entry["given_up"] == true {
            name.push_str(&format!(" (start {}, gone)", entry["generation"]));
        }
        format!("{name} {:.1} -> {:.1}", number("rss_peak_mb"), number("rss_end_mb"))
    };
    let all: Vec<String> = processes.as_array().into_iter().flatten().map(shown).collect();
    let lines = all.chunks(A_LINE).map(|line| line.join(", "));
    lines
        .enumerate()
        .map(|(number, line)| match number {
            0 => format!("memory      MiB, peak -> at the end: {line}\n"),
            _ => format!("            {line}\n"),
        })
        .collect()
}
