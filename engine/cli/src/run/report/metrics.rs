//! `metrics.json`: the figures of a run as one object.

use std::time::Duration;

use sage_core::metrics::{Counts, Summary, balance};
use serde_json::{Map, Value, json};

use super::super::follow::Course;
use super::super::job::Usage;
use super::super::loss::Restart;
use super::{Report, memory};
use crate::exit::Exit;

/// Version of the shape of `metrics.json`.
pub(crate) const SCHEMA: u32 = 1;

impl Report<'_> {
    pub(super) fn metrics(
        &self,
        course: &Course,
        summary: &Summary,
        wall: Duration,
        exit: Exit,
    ) -> anyhow::Result<Value> {
        let Value::Object(mut fields) = serde_json::to_value(summary)? else {
            anyhow::bail!("the summary is no object");
        };
        let mut own = Usage::own();
        // A process may make one run after another. What it does for several jobs at once cannot be
        // told apart; each is booked the same part, so that the sum over the jobs is right.
        own.cpu_s = (own.cpu_s - self.own_cpu_s).max(0.0) / self.company.max(1) as f64;
        let workers_cpu: f64 = course.usage.values().map(|usage| usage.cpu_s).sum();
        let peak = memory::largest_worker(course);
        if let Some(Value::Array(nodes)) = fields.get_mut("nodes") {
            for (i, node) in nodes.iter_mut().enumerate() {
                let place = course.places.get(i).filter(|place| place.host.is_some());
                if let (Some(node), Some(place)) = (node.as_object_mut(), place)
                    && let Value::Object(mut about) = place.to_json(self.plan().schedule.slots)
                {
                    node.append(&mut about);
                }
                let usage = course.usage.get(&i);
                if let (Some(node), Some(usage)) = (node.as_object_mut(), usage) {
                    node.insert("rss_mb".into(), json!(round(usage.rss_peak_mb)));
                    node.insert("cpu_s".into(), json!(usage.cpu_s));
                }
            }
        }
        let startup = self.startup_s(course);
        let makespan = summary.makespan_s.unwrap_or(0.0);
        let drain = startup.map(|s| (wall.as_secs_f64() - s - makespan).max(0.0));
        let mut head = Map::new();
        head.insert("schema".into(), json!(SCHEMA));
        head.insert("status".into(), json!(status(exit)));
        head.insert("pipeline".into(), json!(self.plan().name));
        head.insert("backend".into(), json!(self.backend()));
        head.insert("endpoint".into(), json!(self.endpoint()));
        head.insert("scheduler".into(), json!(self.scheduler()));
        head.insert("workers".into(), json!(self.options().workers));
        head.insert("threads".into(), json!(self.options().threads));
        head.insert("slots".into(), json!(self.plan().schedule.slots));
        head.insert("seed".into(), json!(self.options().seed));
        head.insert("arrivals".into(), json!(self.arrivals()));
        head.insert("startup_s".into(), json!(startup));
        head.insert("drain_s".into(), json!(drain));
        head.insert("wall_s".into(), json!(wall.as_secs_f64()));
        head.insert("tasks_resumed".into(), json!(course.resumed));
        head.insert("tasks_covered".into(), json!(covered(course, &summary.counts)));
        head.insert("restarts".into(), json!(course.restarts.len()));
        let restarts: Vec<Value> = course.restarts.iter().map(Restart::to_json).collect();
        head.insert("restart_log".into(), json!(restarts));
        head.append(&mut fields);
        head.insert("endpoint_stats".into(), self.endpoint_stats());
        head.insert("cpu_s".into(), json!(round(own.cpu_s + workers_cpu)));
        head.insert("supervisor_cpu_s".into(), json!(own.cpu_s));
        head.insert("workers_cpu_s".into(), json!(round(workers_cpu)));
        head.insert("rss_peak_mb".into(), json!(round(peak)));
        head.insert("supervisor_rss_peak_mb".into(), json!(round(own.rss_peak_mb)));
        head.insert("processes".into(), memory::processes(&own, course, self));
        Ok(Value::Object(head))
    }

    /// From the beginning of the run until the first task was in a worker's hands, or, where jobs
    /// wait for each other, until all were ready. Where workers were lost meanwhile those that know
    /// of the first task may be gone, and the others began later.
    fn startup_s(&self, course: &Course) -> Option<f64> {
        if !course.restarts.is_empty() {
            return None;
        }
        let Some(began_ns) = course.began_ns else {
            return course.outcomes.iter().find_map(|outcome| outcome.first_dispatch_s);
        };
        let ready_ns = began_ns.saturating_sub(self.job.start_ns);
        Some(ready_ns.saturating_sub(self.origin_ns) as f64 / 1e9)
    }

    fn endpoint_stats(&self) -> Value {
        let Some(access) = self.access else { return json!([]) };
        let entry = |endpoint: &sage_llm::gateway::EndpointStats| {
            let total = &endpoint.total;
            json!({
                "name": endpoint.name,
                "limit": endpoint.limit,
                "limit_reason": endpoint.limit_reason,
                "calls": total.calls,
                "ok": total.ok,
                "errors": total.errors,
                "attempts": total.attempts,
                "retries": total.retries,
                "max_in_flight": total.max_in_flight,
                "prompt_tokens": total.prompt_tokens,
                "completion_tokens": total.completion_tokens,
                "shed": total.shed,
                "hedges": total.hedges,
                "cache_hits": total.cache_hits,
                "not_kept": endpoint.not_kept,
                "cost": total.cost,
                "replicas": endpoint.replicas,
                "jobs": endpoint.jobs,
            })
        };
        Value::Array(access.stats(self.plan()).iter().map(entry).collect())
    }
}

/// Records whose events the figures are made of: those that had an outcome with the last workers.
pub(super) fn covered(course: &Course, counts: &Counts) -> u64 {
    (counts.tasks_in - counts.tasks_pending).saturating_sub(course.earlier.total())
}

fn status(exit: Exit) -> &'static str {
    match exit {
        Exit::Complete => "complete",
        Exit::Incomplete => "incomplete",
        Exit::Interrupted => "interrupted",
        Exit::Failed | Exit::Usage => "failed",
    }
}

/// When the first worker did not live to give a summary, its last report of progress must do.
pub(super) fn partial(course: &Course, workers: usize) -> Summary {
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

pub(super) fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}
