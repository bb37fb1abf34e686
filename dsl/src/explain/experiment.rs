//! An experiment as text: what it runs, what it varies, and how many runs that makes.

use std::fmt::Write as _;

use crate::experiment::{Arrivals, Experiment, Setting};
use crate::literal::{show, show_args, show_duration};

/// Points shown of a sweep.
const SHOWN: usize = 16;

/// The experiment, one line for each thing it says.
pub fn explain_experiment(experiment: &Experiment) -> String {
    let mut out = format!("experiment {}", experiment.name);
    if let Some(summary) = &experiment.summary {
        let _ = write!(out, " - {summary}");
    }
    out.push('\n');
    let together = experiment.settings.contains(&Setting::Together(true));
    for job in &experiment.jobs {
        let name = if job.name == job.flow {
            job.flow.clone()
        } else {
            format!("{} = {}", job.name, job.flow)
        };
        let own = settings(&job.settings);
        let own = if own.is_empty() { own } else { format!(" {{ {own} }}") };
        let _ = writeln!(out, "  job {name}{own}, from {}", job.file);
    }
    if experiment.jobs.len() > 1 {
        let order = if together { "at the same time" } else { "one after the other" };
        let _ = writeln!(out, "  jobs run {order}");
    }
    if !experiment.settings.is_empty() {
        let _ = writeln!(out, "  with {}", settings(&experiment.settings));
    }
    for sweep in &experiment.sweeps {
        let labels: Vec<&str> =
            sweep.points.iter().take(SHOWN).map(|point| point.label.as_str()).collect();
        let more = if sweep.points.len() > SHOWN { ", ..." } else { "" };
        let _ = writeln!(
            out,
            "  sweep {} in [{}{more}]: {}",
            sweep.name,
            labels.join(", "),
            counted(sweep.points.len() as u64, "point")
        );
    }
    let _ = writeln!(out, "  {}", runs(experiment, false));
    let quick = settings(&experiment.quick);
    if !quick.is_empty() || experiment.quick_repeat.is_some() || !experiment.quick_points.is_empty()
    {
        let with = if quick.is_empty() { quick } else { format!(", with {quick}") };
        let _ = writeln!(out, "  quick: {}{with}", runs(experiment, true));
    }
    if let Some(baseline) = &experiment.baseline {
        let _ = writeln!(out, "  compared with {baseline}");
    }
    if !experiment.backends.is_empty() {
        let names: Vec<&str> = experiment.backends.iter().map(|it| it.as_str()).collect();
        let _ = writeln!(out, "  only on {}", names.join(", "));
    }
    for claim in &experiment.claims {
        let _ = writeln!(out, "  claim {:?}: {}", claim.text, claim.source);
    }
    out
}

fn runs(experiment: &Experiment, quick: bool) -> String {
    let combinations = experiment.combinations(quick);
    let repeats = experiment.repeats(quick);
    let in_turn = !experiment.settings.contains(&Setting::Together(true));
    let jobs = if in_turn { experiment.jobs.len() as u64 } else { 1 };
    let all = combinations.saturating_mul(u64::from(repeats)).saturating_mul(jobs);
    let mut text = counted(combinations, "combination");
    if jobs > 1 {
        let _ = write!(text, " x {}", counted(jobs, "job"));
    }
    let _ = write!(text, " x {}: {}", counted(u64::from(repeats), "repeat"), counted(all, "run"));
    text
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn settings(settings: &[Setting]) -> String {
    settings.iter().map(setting).collect::<Vec<_>>().join(", ")
}

fn setting(setting: &Setting) -> String {
    let time = |nanos: u64| show_duration(i64::try_from(nanos).unwrap_or(i64::MAX));
    match setting {
        Setting::Tasks(n) => format!("tasks: {n}"),
        Setting::Nodes(n) => format!("nodes: {n}"),
        Setting::Slots(n) => format!("slots: {n}"),
        Setting::Policy { name, args } if args.is_empty() => format!("policy: {name}"),
        Setting::Policy { name, args } => format!("policy: {name}({})", show_args(args)),
        Setting::Concurrency(Some(n)) => format!("concurrency: {n}"),
        Setting::Concurrency(None) => "concurrency: auto".to_owned(),
        Setting::Together(flag) => format!("together: {flag}"),
        Setting::StaggerNs(nanos) => format!("stagger: {}", time(*nanos)),
        Setting::Arrivals(arrivals) => format!("arrivals: {}", arriving(arrivals)),
        Setting::Fair(flag) => format!("fair: {flag}"),
        Setting::Share(share) => format!("share: {share}"),
        Setting::Endpoint(url) => format!("endpoint: {url:?}"),
        Setting::DeadlineNs(nanos) => format!("deadline: {}", time(*nanos)),
        Setting::Queue(n) => format!("queue: {n}"),
        Setting::Speeds(speeds) => {
            let all: Vec<String> = speeds.iter().take(SHOWN).map(f64::to_string).collect();
            format!(
                "speeds: [{}{}]",
                all.join(", "),
                if speeds.len() > SHOWN { ", ..." } else { "" }
            )
        }
        Setting::Failures(failures) => {
            let all: Vec<String> = failures
                .iter()
                .take(SHOWN)
                .map(|it| {
                    let back = it
                        .for_ns
                        .map_or_else(String::new, |nanos| format!(", for: {}", time(nanos)));
                    format!("node({}, at: {}{back})", it.node, time(it.at_ns))
                })
                .collect();
            format!("failures: [{}]", all.join(", "))
        }
        Setting::Jobs(names) => format!("jobs: [{}]", names.join(", ")),
        Setting::Param { name, value } => format!("{name}: {}", show(value)),
    }
}

fn arriving(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Batch => "batch".to_owned(),
        Arrivals::Constant { per_s } => format!("constant({per_s}/s)"),
        Arrivals::Poisson { per_s } => format!("poisson({per_s}/s)"),
        Arrivals::Burst { size, every_ns } => format!(
            "burst({size}, every: {})",
            show_duration(i64::try_from(*every_ns).unwrap_or(i64::MAX))
        ),
        Arrivals::Trace { path } => format!("trace({path:?})"),
    }
}
