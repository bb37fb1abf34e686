//! Pages of what experiments are made of.

use std::fmt::Write as _;

use sage_dsl::manual;
use sage_lab::results::Column;

/// Blocks about experiments: name, summary, form.
pub(super) const BLOCKS: &[(&str, &str, &str)] = &[
    (
        "experiment",
        "flows to run, what is varied, how often, and what is expected to come out",
        r#"  /// Which scheduling operator is best?
  experiment schedulers {
    jobs: [chat = rag { share: 2 }, llm]
    tasks: 200, nodes: 4, slots: 16
    sweep policy in [fifo, load_aware(spread), priority]
    sweep load in [low { tasks: 100 }, high { tasks: 500, nodes: 8 }]
    repeat: 5, seed: 7, baseline: fifo
    report: [throughput, latency_p99_ms, balance]
    quick { tasks: 40, repeat: 1, policy: [fifo] }
    claim "fifo is slower" { throughput[fifo] < max(throughput) }
  }

  `sage-flow experiment run FILE` runs it; `sage-flow doc claim` is about claims."#,
    ),
    (
        "claim",
        "a sentence and a condition over the columns of results, decided by the report",
        r#"  claim "in words" { p99(latency)[fifo] < 2s and success >= 99% }

  balance[fifo]            at the point with this label
  throughput[rag][16]      at two labels, of a job and of a sweep
  max(balance)             over rows: max, min, mean, sum
  p99(latency)             latency_p99_ms
  + - * / abs()  < <= > >= == !=  and or not"#,
    ),
];

/// The pages of a name.
pub(super) fn pages(name: &str, out: &mut String) {
    for (block, summary, form) in BLOCKS.iter().filter(|(block, ..)| *block == name) {
        let _ = writeln!(out, "block {block}\n  {summary}\n\nform\n{form}\n");
        details(block, out);
    }
    let mut entries = manual::SETTINGS.iter().chain(manual::ENTRIES);
    if let Some((setting, doc)) = entries.find(|(setting, _)| *setting == name) {
        let _ = writeln!(out, "setting {setting} of an experiment\n  {doc}\n");
    }
}

/// A column by all of its names, and its unit.
pub(super) fn column(column: &Column) -> String {
    let names: Vec<&str> =
        std::iter::once(column.name).chain(column.aliases.iter().copied()).collect();
    let unit = if column.unit.is_empty() { String::new() } else { format!(" in {}", column.unit) };
    format!("{}{unit}", names.join(", "))
}

/// What a block is made of.
fn details(block: &str, out: &mut String) {
    if block == "claim" {
        *out += "columns\n";
        for it in sage_lab::results::COLUMNS {
            let _ = writeln!(out, "  {}: {}", column(it), it.doc);
        }
        out.push('\n');
        return;
    }
    let lines = |out: &mut String, entries: &[(&str, &str)]| {
        for (name, doc) in entries {
            let _ = writeln!(out, "  {name:<12} {doc}");
        }
    };
    *out += "settings: of the experiment, a job, a point of a sweep or a quick run\n";
    lines(out, manual::SETTINGS);
    lines(out, &[("any param", "of the jobs' programs, by its name")]);
    *out += "\nof the experiment alone\n";
    lines(out, manual::ENTRIES);
    out.push('\n');
}
