//! Names of trials: readable, unique, and fit for a folder on any system.

use std::collections::HashSet;

/// Longest part of a name that comes from one label.
const LONGEST_LABEL: usize = 40;
/// Longest name; file systems take 255 bytes.
const LONGEST: usize = 160;

/// Gives out names, each once.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name for the trial with these labels.
    pub(super) fn name(
        &mut self,
        solo: bool,
        point: &[(String, String)],
        job: Option<&str>,
        repeat: u32,
    ) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(solo.then(|| "solo".to_owned()));
        let dimensions = point.iter().filter(|(dimension, _)| dimension != "job");
        parts.extend(
            dimensions.map(|(dimension, label)| format!("{}-{}", safe(dimension), safe(label))),
        );
        parts.extend(job.map(safe));
        let mut stem = parts.join(".");
        stem.truncate(LONGEST);
        let name = |number: u32| {
            let stem = if number == 1 { stem.clone() } else { format!("{stem}~{number}") };
            if stem.is_empty() { format!("r{repeat}") } else { format!("{stem}.r{repeat}") }
        };
        let free = (1..=u32::MAX).map(name).find(|name| !self.0.contains(name));
        let free = free.expect("there are more numbers than trials");
        self.0.insert(free.clone());
        free
    }
}

/// `load_aware(spread)` becomes `load_aware-spread`.
fn safe(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        let keep = c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+');
        match keep {
            true => safe.push(c),
            // Runs of other characters become one dash.
            false if !safe.ends_with('-') => safe.push('-'),
            false => {}
        }
        if safe.len() == LONGEST_LABEL {
            break;
        }
    }
    // No leading dot: it would hide the folder, or be the one above.
    safe.trim_matches(|c| c == '-' || c == '.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_used_once() {
        let mut names = Names::default();
        let point = |label: &str| vec![("policy".to_owned(), label.to_owned())];
        let mut name = |label: &str| names.name(false, &point(label), Some("rag"), 0);
        assert_eq!(name("load_aware(spread)"), "policy-load_aware-spread.rag.r0");
        assert_eq!(name("load_aware/spread"), "policy-load_aware-spread.rag~2.r0");
        assert_eq!(name("../../etc"), "policy-etc.rag.r0");
        assert_eq!(name("ü"), "policy-.rag.r0");
        assert!(name(&"x".repeat(1000)).len() < 100);
        assert_eq!(names.name(true, &[], Some("a"), 3), "solo.a.r3");
        assert_eq!(names.name(false, &[], None, 1), "r1");
    }
}
