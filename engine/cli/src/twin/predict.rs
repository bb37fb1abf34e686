//! A prediction beside a plan: what each stage would take, what it would cost, what is used up.

use sage_dsl::plan::Plan;
use serde_json::{Value, json};

use super::bottleneck::{Finding, Gain, Resource, find};
use super::{Course, LABEL, TwinRun, Worked};

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
                "{}~ {:.1} calls at once on average, at most {}; limit {:.0} on average; servers \
                 compute {:.0} % of the time; {:.0} % of the prompt tokens are found in their caches\n",
                " ".repeat(margin + 2),
                stats.held_ns as f64 / end_ns,
                stats.max_in_flight,
                stats.mean_limit,
                stats.busy_ns as f64 / end_ns / endpoint.servers.len().max(1) as f64 * 100.0,
                stats.cached_tokens as f64 / stats.prompt_tokens.max(1) as f64 * 100.0,
            ));
        }
    }
    text.push_str(&figures(run, summary));
    let finding = find(worked, course);
    let mut known: Vec<&Resource> = finding.resources.iter().collect();
    known.sort_by(|a, b| b.used.total_cmp(&a.used));
    for resource in known {
        let gain = match resource.gain {
            None => String::new(),
            Some(Gain::Throughput(part)) => {
                format!("; with twice as much {} throughput", percent(part))
            }
            Some(Gain::Losses(part)) => {
                format!("; with twice as much {} records that succeed", percent(part))
            }
        };
        text.push_str(&format!("  {:>5.1} %  {}{gain}\n", resource.used * 100.0, resource.name));
    }
    text + &bottleneck(&finding)
}

/// A change in percent, with its sign.
fn percent(gain: f64) -> String {
    let percent = (gain * 100.0).round();
    // No sign where nothing changes.
    if percent == 0.0 { "0 %".into() } else { format!("{percent:+} %") }
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

fn bottleneck(finding: &Finding) -> String {
    let named: Vec<&Resource> = finding.named.iter().map(|at| &finding.resources[*at]).collect();
    match named.as_slice() {
        [one] => format!("bottleneck: {}; it would take {}\n", one.name, one.remedy),
        [one, other] => format!(
            "bottleneck: {} and {} together; it would take {} and {}\n",
            one.name, other.name, one.remedy, other.remedy
        ),
        _ if finding.paced => {
            "bottleneck: none; records come slower than they could be worked off\n".into()
        }
        _ => "bottleneck: none; twice as much of anything above would not help, so what counts is \
              how long single records take, or what the policy holds back\n"
            .into(),
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
    let finding = find(worked, course);
    let entry = |resource: &Resource| {
        json!({
            "name": resource.name,
            "used": resource.used,
            "gain_of_twice_as_much": resource.gain.map(Gain::part),
        })
    };
    let names: Vec<&str> =
        finding.named.iter().map(|at| finding.resources[*at].name.as_str()).collect();
    json!({
        "prediction": metrics,
        "stage_p50_ms": course.jobs.first().map(|job| &job.stage_p50_ms),
        "resources": finding.resources.iter().map(entry).collect::<Vec<_>>(),
        "bottleneck": (!names.is_empty()).then(|| names.join(" and ")),
    })
}
