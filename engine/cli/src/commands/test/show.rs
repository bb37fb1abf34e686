//! What is said of tests, for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::testing::{Letters, Outcome};

/// Characters of a record that are shown.
const SHOWN: usize = 200;

/// How a test went, in a few words.
pub(super) fn line(outcome: &anyhow::Result<Outcome>) -> String {
    match outcome {
        Err(_) => "failed: it could not be run".to_owned(),
        Ok(outcome) => format!(
            "{}: {} in {} of virtual time, {} of real time",
            if outcome.passed() { "passed" } else { "failed" },
            match outcome.records {
                1 => "1 record".to_owned(),
                records => format!("{records} records"),
            },
            short(Duration::from_secs_f64(outcome.virtual_s.max(0.0))),
            short(outcome.wall)
        ),
    }
}

/// What failed, as far as it was kept.
pub(super) fn letters(letters: &Letters) -> String {
    let mut out = String::new();
    if letters.count == 0 {
        return out;
    }
    let _ = writeln!(out, "{}:", counted(letters.count, "dead letter"));
    for letter in &letters.first {
        let text = |name: &str| letter[name].as_str().unwrap_or_default();
        let status = letter["status"].as_u64().map_or(String::new(), |it| format!(" {it}"));
        let attempts = counted(letter["attempts"].as_u64().unwrap_or(0) as usize, "attempt");
        let _ = writeln!(
            out,
            "  stage `{}`, {}{status}, {attempts}: {}",
            text("stage"),
            text("class"),
            text("message")
        );
        if letter["record"] != Value::Null {
            let _ = writeln!(out, "    of {}", cut(&letter["record"].to_string()));
        }
    }
    if letters.count > letters.first.len() {
        let _ = writeln!(out, "  and {} more", letters.count - letters.first.len());
    }
    out
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// So many of something.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A time with three digits.
pub(super) fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 10.0 {
        format!("{seconds:.1} s")
    } else if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}
