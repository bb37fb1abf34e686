//! `replay`: a recorded run under another policy, in virtual time.

use std::path::PathBuf;

use clap::Args;
use sage_core::metrics::Summary;
use sage_core::policies;
use sage_dsl::experiment::MAX_NODES;
use serde_json::{Value, json};

use crate::exit::{Exit, usage};
use crate::run::report::scheduler;
use crate::twin::{self, Change, Recording};

const EXAMPLES: &str = "\
Examples:
  sage-flow replay results/runs/rag-2026-11-25-101500 --scheduler priority
  sage-flow replay out --scheduler fifo --scheduler 'load_aware(balanced)' --workers 8

The arrivals and the service times are those of the recorded run; how long a call took is taken as
given, whoever makes it and when.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub(crate) struct ReplayArguments {
    /// The folder of a run, on whatever backend
    #[arg(value_name = "RUN_DIR")]
    folder: PathBuf,
    /// Scheduling policy, with arguments; may be repeated
    #[arg(long = "scheduler", value_name = "NAME")]
    schedulers: Vec<String>,
    /// Nodes [default: as in the run]
    #[arg(long, short, value_name = "N")]
    workers: Option<usize>,
    /// Tasks a worker executes at once [default: as in the run]
    #[arg(long, value_name = "S")]
    slots: Option<u32>,
    /// Seed [default: as in the run]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Most nodes of a replay.
const MOST_NODES: usize = MAX_NODES as usize;

/// A run and its figures.
struct Column {
    title: String,
    /// Where the figures come from.
    backend: String,
    summary: Summary,
}

pub(crate) fn replay(arguments: &ReplayArguments) -> anyhow::Result<Exit> {
    if let Some(workers) = arguments.workers.filter(|workers| !(1..=MOST_NODES).contains(workers)) {
        return Err(usage(format!("--workers {workers}: expected 1 to {MOST_NODES}")));
    }
    if let Some(slots) = arguments.slots.filter(|slots| !(1..=4096).contains(slots)) {
        return Err(usage(format!("--slots {slots}: expected 1 to 4096")));
    }
    let recording = Recording::read(&arguments.folder)?;
    let own = scheduler(&recording.plan);
    if arguments.schedulers.is_empty() && arguments.workers.is_none() && arguments.slots.is_none() {
        return Err(usage(format!(
            "what is to be different? The run had --scheduler '{own}', --workers {} and --slots {}; \
             give another value of one of them",
            recording.workers, recording.plan.schedule.slots
        )));
    }
    let mut columns = vec![
        Column {
            title: format!("recorded: {own}"),
            backend: recording.backend.clone(),
            summary: recording.summary(),
        },
        Column {
            title: format!("replayed: {own}"),
            backend: twin::LABEL.to_owned(),
            summary: twin::replay(&recording, &Change::default())?,
        },
    ];
    let changed = Change {
        policy: None,
        workers: arguments.workers,
        slots: arguments.slots,
        seed: arguments.seed,
    };
    let mut changes = Vec::new();
    for text in &arguments.schedulers {
        let parsed = policies::parse(text);
        let policy = parsed.map_err(|error| usage(format!("--scheduler {text}: {error}")))?;
        changes.push((text.clone(), Change { policy: Some(policy), ..changed.clone() }));
    }
    if changes.is_empty() {
        changes.push((own.clone(), changed));
    }
    for (name, change) in changes {
        let summary = twin::replay(&recording, &change)?;
        let mut title = name;
        if let Some(workers) = arguments.workers {
            title.push_str(&format!(", {workers} workers"));
        }
        if let Some(slots) = arguments.slots {
            title.push_str(&format!(", {slots} slots"));
        }
        columns.push(Column { title, backend: twin::LABEL.to_owned(), summary });
    }
    if arguments.json {
        let all = columns.iter().map(entry).collect::<anyhow::Result<Vec<Value>>>()?;
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print!("{}", text(&recording, &columns));
    }
    Ok(Exit::Complete)
}

/// Figures that a replay does not find out: it makes no calls, and what a decision takes is an
/// assumption of it.
const UNKNOWN: [&str; 9] = [
    "decision_p50_us",
    "decision_p99_us",
    "dispatch_p50_us",
    "dispatch_p99_us",
    "retries",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "cached",
];

/// A column for programs.
fn entry(column: &Column) -> anyhow::Result<Value> {
    let mut summary = serde_json::to_value(&column.summary)?;
    let blank = |fields: &mut Value| {
        for name in UNKNOWN {
            if let Some(field) = fields.get_mut(name) {
                *field = Value::Null;
            }
        }
    };
    blank(&mut summary);
    summary["stages"].as_array_mut().into_iter().flatten().for_each(|stage| {
        blank(stage);
        stage["failed"] = Value::Null;
    });
    Ok(json!({"title": column.title, "backend": column.backend, "summary": summary}))
}

/// One line of the table: name, digits, figure.
type Line = (&'static str, usize, fn(&Summary) -> Option<f64>);

const LINES: [Line; 15] = [
    ("tasks ok", 0, |s| Some(s.counts.tasks_ok as f64)),
    ("tasks dead", 0, |s| Some(s.counts.tasks_dead as f64)),
    ("tasks late", 0, |s| Some(s.counts.tasks_late as f64)),
    ("throughput, tasks/s", 2, |s| s.throughput_per_s),
    ("latency mean, ms", 1, |s| s.latency_mean_ms),
    ("latency p50, ms", 1, |s| s.latency_p50_ms),
    ("latency p90, ms", 1, |s| s.latency_p90_ms),
    ("latency p99, ms", 1, |s| s.latency_p99_ms),
    ("scheduling mean, ms", 1, |s| s.scheduling_mean_ms),
    ("queueing mean, ms", 1, |s| s.queueing_mean_ms),
    ("execution mean, ms", 1, |s| s.execution_mean_ms),
    ("execution p99, ms", 1, |s| s.execution_p99_ms),
    ("makespan, s", 3, |s| s.makespan_s),
    ("balance, %", 1, |s| s.balance.map(|share| share * 100.0)),
    ("busy balance, %", 1, |s| s.busy_balance.map(|share| share * 100.0)),
];

fn text(recording: &Recording, columns: &[Column]) -> String {
    let plan = &recording.plan;
    let mut text = format!(
        "{}: {} tasks of a run on `{}` with {} workers x {} slots; replays are of the {}\n\n",
        plan.name,
        recording.tasks.len() + recording.never_ran.len(),
        recording.backend,
        recording.workers,
        plan.schedule.slots,
        twin::LABEL,
    );
    let width = |column: &Column| column.title.chars().count().max(12) + 2;
    text.push_str(&format!("{:<22}", ""));
    for column in columns {
        text.push_str(&format!("{:>w$}", column.title, w = width(column)));
    }
    text.push('\n');
    for (name, digits, figure) in LINES {
        text.push_str(&format!("{name:<22}"));
        for column in columns {
            let value = figure(&column.summary);
            let shown = value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"));
            text.push_str(&format!("{shown:>w$}", w = width(column)));
        }
        text.push('\n');
    }
    if let [recorded, replayed, ..] = columns {
        text.push_str(&format!("\n{}", closeness(&recorded.summary, &replayed.summary)));
    }
    for note in &recording.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// How far the replay of what was recorded is from it: what to believe of the other replays.
fn closeness(recorded: &Summary, replayed: &Summary) -> String {
    let off = |figure: fn(&Summary) -> Option<f64>| match (figure(recorded), figure(replayed)) {
        (Some(recorded), Some(replayed)) if recorded > 0.0 => {
            format!("{:+.1} %", (replayed / recorded - 1.0) * 100.0)
        }
        _ => "not measurable".into(),
    };
    format!(
        "the replay of the recorded policy is off by {} in throughput, {} in mean latency, {} in p99\n",
        off(|s| s.throughput_per_s),
        off(|s| s.latency_mean_ms),
        off(|s| s.latency_p99_ms),
    )
}
