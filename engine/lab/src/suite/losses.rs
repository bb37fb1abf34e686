//! Records without a result, and why most of them have none: from the `dead_letters.jsonl` of runs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::files;

/// Name of the file in a run's folder.
pub(super) const LETTERS: &str = "dead_letters.jsonl";
/// Different messages that are counted for each class; later ones count for the class alone.
const MOST_MESSAGES: usize = 256;
/// Letters of a message that are shown.
const LONGEST: usize = 120;

/// Records of some runs, and what became of those that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Losses {
    pub(crate) records: u64,
    pub(crate) ok: u64,
    pub(crate) dead: u64,
    pub(crate) late: u64,
    /// By class: how often, and how often with which message.
    classes: BTreeMap<String, (u64, BTreeMap<String, u64>)>,
}

/// A line of the file, as far as it matters here.
#[derive(Deserialize)]
struct Letter {
    class: String,
    #[serde(default)]
    message: String,
}

impl Losses {
    /// Add a run with these figures, whose files are in `run`.
    pub(crate) fn add(&mut self, metrics: &Map<String, Value>, run: &Path) {
        let count = |name: &str| metrics.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.records += count("tasks_in");
        self.ok += count("tasks_ok");
        self.dead += count("tasks_dead");
        self.late += count("tasks_late");
        if count("tasks_dead") + count("tasks_late") == 0 {
            return;
        }
        // The counts are what matters; without the file only the reason is unknown.
        let Ok(file) = files::open(&run.join(LETTERS)) else { return };
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            let Ok(letter) = serde_json::from_str::<Letter>(&line) else { continue };
            let (count, messages) = self.classes.entry(letter.class).or_default();
            *count += 1;
            if messages.len() < MOST_MESSAGES || messages.contains_key(&letter.message) {
                *messages.entry(letter.message).or_default() += 1;
            }
        }
    }

    /// Whether any record is dead or late.
    pub(crate) fn any(&self) -> bool {
        self.dead + self.late > 0
    }

    /// `27 of 80 records have no result (20 dead, 7 late)`.
    pub(crate) fn counts(&self) -> String {
        format!(
            "{} of {} records have no result ({} dead, {} late)",
            self.dead + self.late,
            self.records,
            self.dead,
            self.late
        )
    }

    /// The commonest class with its commonest message: `expression, "division by zero"`.
    pub(crate) fn commonest(&self) -> Option<String> {
        // Of equals, `max_by_key` takes the last; the first by name is as good and easier to guess.
        let (class, (_, messages)) =
            self.classes.iter().rev().max_by_key(|(_, (count, _))| *count)?;
        let message = messages.iter().rev().max_by_key(|(_, count)| **count);
        let message = message.map_or("", |(message, _)| message.lines().next().unwrap_or_default());
        let short: String = message.chars().take(LONGEST).collect();
        let more = if short.len() < message.len() { "…" } else { "" };
        let known = !message.is_empty();
        Some(if known { format!("{class}, \"{short}{more}\"") } else { class.clone() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_commonest_message_of_the_commonest_class_is_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let letters = [
            ("timeout", "no answer"),
            ("expression", "division by zero"),
            ("expression", "no such field"),
            ("expression", "division by zero"),
        ];
        let lines = letters.map(|(class, message)| {
            json!({"class": class, "message": message, "record": {"id": "x"}}).to_string()
        });
        std::fs::write(folder.path().join(LETTERS), lines.join("\n") + "\nnot a letter\n").unwrap();
        let metrics = json!({"tasks_in": 9, "tasks_ok": 5, "tasks_dead": 3, "tasks_late": 1});
        let mut losses = Losses::default();
        losses.add(metrics.as_object().unwrap(), folder.path());
        assert_eq!(losses.commonest().unwrap(), "expression, \"division by zero\"");
        assert_eq!(losses.counts(), "4 of 9 records have no result (3 dead, 1 late)");
        let none = Losses::default();
        assert!(!none.any() && none.commonest().is_none());
    }
}
