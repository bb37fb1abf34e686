//! `summary.txt`: what was asked, what came out, and what the figures are.

use serde_json::Value;

use super::blocks::{blocks, columns, heading};
use super::table;
use super::tasks::MOST_ROWS;
use crate::results::{Outcome, Results, Verdict};

/// The whole summary; `tasks` is what [`combine`](super::tasks::combine) says.
pub(super) fn text(results: &Results, tasks: Result<u64, u64>) -> String {
    let mut text = head(results);
    text.push_str(&short(results));
    let mut notes = results.notes.clone();
    notes.push(match tasks {
        Ok(rows) => format!("the {rows} tasks of all runs are in tasks.csv"),
        Err(rows) => format!(
            "the {rows} tasks of all runs, more than {MOST_ROWS}, are in tasks.csv of each run's folder"
        ),
    });
    text.push_str("\nnotes\n");
    for note in notes {
        text.push_str(&format!("  - {note}\n"));
    }
    text
}

fn head(results: &Results) -> String {
    let setup = |name: &str| match results.setup.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "unknown".to_owned(),
        Some(other) => other.to_string(),
    };
    let question = results.summary.as_deref().map_or(String::new(), |text| format!(": {text}"));
    let quick = if results.quick { ", quick run" } else { "" };
    let mut text = format!("{}{question}\n\n", results.experiment);
    for (name, value) in [
        ("figures", format!("{}{quick}", results.label())),
        (
            "machine",
            format!(
                "{}, {}, {} cores, {} MiB",
                setup("host"),
                setup("cpu"),
                setup("cores"),
                setup("memory_mb")
            ),
        ),
        (
            "build",
            format!(
                "sage-flow {} ({}), commit {}",
                setup("version"),
                setup("profile"),
                setup("commit")
            ),
        ),
        ("date", setup("started")),
        ("seed", setup("seed")),
    ] {
        text.push_str(&format!("{name:<10}{value}\n"));
    }
    if let Some(changed) = &results.changed {
        text.push_str(&format!("{:<10}{changed}\n", "changed"));
    }
    text
}

/// Tables, verdicts and failures.
pub(super) fn short(results: &Results) -> String {
    let mut text = String::new();
    for block in blocks(results) {
        let columns = columns(results, &block);
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut head: Vec<String> =
            block.dimensions.iter().map(|name| (*name).to_owned()).collect();
        head.extend(columns.iter().map(|column| heading(results, column)));
        rows.push(head);
        for row in &block.rows {
            let mut cells = block.labels(row);
            let figures = columns.iter().map(|column| row.figures.get(column.name));
            cells.extend(figures.map(table::estimate));
            rows.push(cells);
        }
        text.push_str(&format!("\n{} ({})\n", block.title(), results.label()));
        text.push_str(&table::lines(&rows, block.dimensions.len()));
    }
    if !results.claims.is_empty() {
        text.push_str("\nclaims\n");
        results.claims.iter().for_each(|claim| text.push_str(&verdict(claim)));
    }
    if !results.failed.is_empty() {
        text.push_str(&format!("\nwithout a result: {}\n", results.failed.len()));
        for (trial, reason) in results.failed.iter().take(SHOWN) {
            text.push_str(&format!("  {trial}: {}\n", first_line(reason)));
        }
        if results.failed.len() > SHOWN {
            text.push_str(&format!("  and {} more\n", results.failed.len() - SHOWN));
        }
    }
    text
}

/// Trials without a result that are listed.
const SHOWN: usize = 20;

fn first_line(reason: &str) -> &str {
    reason.lines().next().unwrap_or_default()
}

/// A claim in lines of its own.
fn verdict(claim: &Verdict) -> String {
    let mut text = format!("  {:<15}{}{}\n", word(claim.outcome), claim.text, repeats(claim));
    text.push_str(&format!("  {:<15}{}\n", "", claim.condition));
    for line in &claim.detail {
        text.push_str(&format!("  {:<15}  {line}\n", ""));
    }
    text
}

/// In how many repeats a claim held, where there are several: ` (in 3 of 5 repeats)`. The verdict is
/// of their means, and where a repeat by itself says otherwise that is told.
pub(super) fn repeats(claim: &Verdict) -> String {
    match claim.repeats {
        Some((held, of)) if of > 1 && claim.is_split() => {
            format!(" (on average; in {held} of {of} repeats)")
        }
        Some((held, of)) if of > 1 => format!(" (in {held} of {of} repeats)"),
        _ => String::new(),
    }
}

/// An outcome in words.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "holds",
        Outcome::Fails => "fails",
        Outcome::NotMeasurable => "not measurable",
    }
}
