//! The sentences under a picture: where its numbers come from, and what the whiskers are.

use super::data::{Data, figure};
use crate::results::Row;

/// What every picture says about its numbers: label, job and slice, repeats, whiskers, gaps.
pub(super) fn notes(data: &Data<'_>, columns: &[&str], whiskers: bool) -> Vec<String> {
    let mut notes = source(data);
    let counts: Vec<usize> = data
        .rows
        .iter()
        .flat_map(|row| columns.iter().filter_map(|column| repeats(row, column)))
        .collect();
    let (fewest, most) =
        (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let of = match (fewest, most) {
        (_, 0) => None,
        (1, 1) => Some("One run of each point".to_owned()),
        (a, b) if a == b => Some(format!("Mean of {a} repeats")),
        (a, b) => Some(format!("Mean of {a} to {b} repeats")),
    };
    if let Some(of) = of {
        let whiskers = if whiskers { "; whiskers: 95 % bootstrap interval" } else { "" };
        notes.push(format!("{of}{whiskers}."));
    }
    notes.extend(failures(data));
    notes
}

/// What kind of numbers these are, and of which part of the results.
pub(super) fn source(data: &Data<'_>) -> Vec<String> {
    let mut label = data.results.label().to_owned();
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if data.results.quick {
        label.push_str(", quick run");
    }
    let mut notes = vec![format!("{label}.")];
    notes.extend(data.results.changed.as_ref().map(|changed| format!("Changed: {changed}.")));
    notes
}

/// How many trials have no result.
pub(super) fn failures(data: &Data<'_>) -> Option<String> {
    match data.results.failed.len() {
        0 => None,
        1 => Some("1 trial has no result.".to_owned()),
        count => Some(format!("{count} trials have no result.")),
    }
}

/// The title of a picture: experiment, job if there is but one, slice, and what is drawn.
pub(super) fn title(data: &Data<'_>, what: &str) -> String {
    let mut words = data.results.experiment.clone();
    if let [job] = data.jobs[..]
        && job != data.results.experiment
    {
        words.push_str(&format!(", {job}"));
    }
    if let Some((dimension, label)) = data.within {
        words.push_str(&format!(", {dimension} = {label}"));
    }
    format!("{words}: {what}")
}

/// The base name of a picture's files.
pub(super) fn file_name(data: &Data<'_>, kind: &str) -> String {
    let Some((_, label)) = data.within else { return kind.to_owned() };
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let label: String = label.chars().map(safe).collect();
    format!("{kind}-{}", label.trim_matches('-'))
}

fn repeats(row: &Row, column: &str) -> Option<usize> {
    let found = figure(row, column)?;
    Some(found.values.iter().filter(|value| value.is_some()).count().max(1))
}
