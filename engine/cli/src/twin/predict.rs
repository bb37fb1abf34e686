//! A prediction beside a plan: what each stage would take, what it would cost, what is used up.

use sage_dsl::plan::Plan;
use serde_json::{Value, json};

use super::{Course, LABEL, TwinRun, Worked};

/// Something of which there is only so much.
#[derive(Debug, Clone, PartialEq)]
struct Resource {
    name: String,
    /// Share that is in use, on average over the run.
    used: f64,
    /// What more of it would be.
    remedy: &'static str,
}

/// A resource that is used less than this holds nobody up.
const SCARCE: f64 = 0.7;

/// What a run would use up, the scarcest first.
fn resources(worked: &Worked, course: &Course) -> Vec<Resource> {
    let outcome = &course.outcome;
    let end_ns = outcome.end_ns.max(1) as f64;
    let share = |ns: u64| ns as f64 / end_ns;
    let mut all = Vec::new();
    for (job, own) in worked.model.jobs.iter().zip(&course.jobs) {
        let name = if course.jobs.len() > 1 {
            format!("slots of `{}`", job.name)
        } else {
            "slots".to_owned()
        };
        let used = own.summary.utilization.unwrap_or(0.0);
        all.push(Resource { name, used, remedy: "more slots, or more workers" });
    }
    let threads = outcome.nodes.iter().enumerate();
    let busiest = threads.max_by_key(|(_, node)| node.cpu_busy_ns);
    if let Some((node, busy)) = busiest {
        let name = format!("thread of node {node}, the busiest");
        let used = share(busy.cpu_busy_ns) / course.jobs.len().max(1) as f64;
        all.push(Resource { name, used, remedy: "more workers" });
    }
    all.push(Resource {
        name: "thread of the gateway".into(),
        used: share(outcome.gateway_busy_ns),
        remedy: "larger batches",
    });
    for (endpoint, stats) in worked.model.endpoints.iter().zip(&outcome.endpoints) {
        let (limit, auto) = match endpoint.concurrency {
            Some(limit) => (limit, false),
            None => (stats.limit, true),
        };
        all.push(Resource {
            name: format!("limit of `{}` ({limit} calls)", endpoint.name),
            used: share(stats.held_ns) / f64::from(limit.max(1)),
            remedy: if auto { "more or faster servers" } else { "a higher `concurrency`" },
        });
    }
    all.sort_by(|a, b| b.used.total_cmp(&a.used));
    all
}

/// The tree of `plan` with the prediction of the only job beside it.
pub(crate) fn annotated(plan: &Plan, run: &TwinRun, worked: &Worked, course: &Course) -> String {
    let Some(own) = course.jobs.first() else { return String::new() };
    let summary = &own.summary;
    let records = summary.counts.tasks_in.max(1) as f64;
    let mut text = String::new();
    for line in sage_dsl::explain(plan).lines() {
        text.push_str(line);
        text.push('\n');
        let margin = line.len() - line.trim_start().len();
        let stage = summary.stages.iter().zip(&own.stage_p50_ms).find(|(stage, _)| {
            line.trim_start().strip_prefix("stage ").is_some_and(|rest| {
                rest.strip_prefix(stage.name.as_str()).is_some_and(|rest| rest.starts_with(':'))
            })
        });
        if let Some((stage, p50)) = stage {
            let mut note = format!("~ p50 {}, p99 {}", ms(*p50), ms(stage.p99_ms));
            let tokens = stage.prompt_tokens + stage.completion_tokens;
            if tokens > 0 {
                note.push_str(&format!(
                    "; {:.0} tokens in and {:.0} out a record",
                    stage.prompt_tokens as f64 / records,
                    stage.completion_tokens as f64 / records
                ));
            }
            if stage.failed > 0 {
                note.push_str(&format!("; {} of {records} records fail", stage.failed));
            }
            text.push_str(&format!("{}{note}\n", " ".repeat(margin + 2)));
        }
        let endpoint = worked
            .model
            .endpoints
            .iter()
            .zip(&course.outcome.endpoints)
            .find(|(e, _)| line.trim_start().starts_with(&format!("endpoint {} =", e.name)));
        if let Some((endpoint, stats)) = endpoint {
            let end_ns = course.outcome.end_ns.max(1) as f64;
            text.push_str(&format!(
                "{}~ {:.1} calls at once on average, at most {}; limit {} at the end; servers \
                 compute {:.0} % of the time; {:.0} % of the prompt tokens are found in their caches\n",
                " ".repeat(margin + 2),
                stats.held_ns as f64 / end_ns,
                stats.max_in_flight,
                stats.limit,
                stats.busy_ns as f64 / end_ns / endpoint.servers.len().max(1) as f64 * 100.0,
                stats.cached_tokens as f64 / stats.prompt_tokens.max(1) as f64 * 100.0,
            ));
        }
    }
    text.push_str(&figures(run, summary));
    let resources = resources(worked, course);
    for resource in &resources {
        text.push_str(&format!("  {:>5.1} %  {}\n", resource.used * 100.0, resource.name));
    }
    text + &bottleneck(&resources)
}

fn figures(run: &TwinRun, summary: &sage_core::metrics::Summary) -> String {
    let counts = &summary.counts;
    let workers = run.jobs.first().map_or(0, |job| job.workers);
    let slots = run.jobs.first().map_or(0, |job| job.plan.schedule.slots);
    let per_s = |x: Option<f64>| x.map_or_else(|| "-".into(), |x| format!("{x:.2}/s"));
    format!(
        "\nprediction of the {LABEL}, for {} records on {workers} workers x {slots} slots:\n  \
         throughput {}; latency p50 {}, p99 {}; {} ok, {} dead, {} late; {} tokens in, {} out{}\n\
         in use, on average:\n",
        counts.tasks_in,
        per_s(summary.throughput_per_s),
        ms(summary.latency_p50_ms),
        ms(summary.latency_p99_ms),
        counts.tasks_ok,
        counts.tasks_dead,
        counts.tasks_late,
        summary.prompt_tokens,
        summary.completion_tokens,
        summary.cost.map_or_else(String::new, |cost| format!("; cost {cost:.4}")),
    )
}

fn bottleneck(resources: &[Resource]) -> String {
    match resources.first() {
        Some(first) if first.used >= SCARCE => {
            format!("bottleneck: {}; it would take {}\n", first.name, first.remedy)
        }
        _ => "bottleneck: none; records come slower than they could be worked off\n".into(),
    }
}

fn ms(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(ms) if ms >= 10_000.0 => format!("{:.1} s", ms / 1e3),
        Some(ms) if ms >= 100.0 => format!("{ms:.0} ms"),
        Some(ms) if ms >= 1.0 => format!("{ms:.1} ms"),
        Some(ms) => format!("{:.0} us", ms * 1e3),
    }
}

/// The same for programs: the run's metrics and what is used up.
pub(crate) fn as_json(metrics: &Value, worked: &Worked, course: &Course) -> Value {
    let resources = resources(worked, course);
    let entry = |resource: &Resource| json!({"name": resource.name, "used": resource.used});
    let bottleneck = resources.first().filter(|first| first.used >= SCARCE);
    json!({
        "prediction": metrics,
        "stage_p50_ms": course.jobs.first().map(|job| &job.stage_p50_ms),
        "resources": resources.iter().map(entry).collect::<Vec<_>>(),
        "bottleneck": bottleneck.map(|resource| &resource.name),
    })
}
