//! What the launchers have in common that print files for others to apply: what is to run, and text
//! as YAML. It is written by hand, because such a file is read by people, who want comments in it.

use std::collections::{BTreeMap, BTreeSet};

/// A run that somebody else starts: on Kubernetes, or by Compose.
#[derive(Clone)]
pub struct Manifest {
    /// What it is called: lower-case letters, digits and dashes.
    pub name: String,
    /// Image with the program as its entry point.
    pub image: String,
    /// The programs: path below the data folder, and text.
    pub programs: Vec<(String, String)>,
    /// What the supervisor is told, from `run` on, but for where it listens.
    pub command: Vec<String>,
    /// Worker processes of each program.
    pub workers: usize,
    /// Seconds from the request to stop to the kill.
    pub stop_s: u64,
    /// Variables that the programs read, and their values.
    pub variables: BTreeMap<String, String>,
    /// What proves that supervisor and workers belong together, as names and values of variables.
    pub credentials: Vec<(String, String)>,
    /// Variables with keys of endpoints, which only the supervisor needs.
    pub keys: BTreeSet<String>,
}

/// Where the data are in every container.
pub(super) const DATA: &str = "/data";

/// Port of the supervisor, for the workers of the first program; each further one has the next.
const PORT: u16 = 7077;

/// The workers of one program.
pub(super) struct Crew {
    /// What they are called.
    pub(super) name: String,
    /// Port of the supervisor at which they join.
    pub(super) port: u16,
}

impl Manifest {
    /// One crew for each program.
    pub(super) fn crews(&self) -> Vec<Crew> {
        let several = self.programs.len() > 1;
        let name = |at: u16| if several { format!("worker-{}", at + 1) } else { "worker".into() };
        let crews = (0..).zip(&self.programs);
        crews.map(|(at, _)| Crew { name: name(at), port: PORT.saturating_add(at) }).collect()
    }

    /// What the supervisor is told, and that it listens at `host`.
    pub(super) fn supervisor(&self, host: &str, escaped: impl Fn(&str) -> String) -> String {
        let own = ["--launcher", "join", "--bind", &format!("{host}:{PORT}")].map(str::to_owned);
        list(self.command.iter().map(|word| escaped(word)).chain(own))
    }

    /// What the workers of a program are told.
    pub(super) fn worker(supervisor: &str, crew: &Crew) -> String {
        list(["worker", "--join", &format!("{supervisor}:{}", crew.port)].map(str::to_owned))
    }

    /// `text` as a name: what is not allowed becomes a dash.
    pub fn name_of(text: &str) -> String {
        let mut name = String::from("sage-flow");
        for part in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()) {
            name.push('-');
            name.push_str(&part.to_ascii_lowercase());
        }
        // Names of pods, which are made of it and a few letters of the run's own, have 63 at most.
        name.truncate(36);
        name.trim_end_matches('-').to_owned()
    }
}

/// A text as one YAML word. JSON strings are YAML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Words as a YAML list on one line.
pub(super) fn list(words: impl IntoIterator<Item = String>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| quoted(&word)).collect();
    format!("[{}]", words.join(", "))
}

/// A text behind a key that stands `indent` spaces in: as lines that people can read, if YAML has a
/// way to say it so.
pub(super) fn block(text: &str, indent: usize) -> String {
    let plain = |c: char| c == '\n' || !c.is_control() && !('\u{fff0}'..='\u{ffff}').contains(&c);
    let breaks = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'];
    let readable = text.chars().all(|c| plain(c) && !breaks.contains(&c))
        && text.ends_with('\n')
        && !text.ends_with("\n\n")
        && text != "\n";
    if !readable {
        return quoted(text);
    }
    let mut lines = String::from("|2");
    for line in text.lines() {
        lines.push('\n');
        if !line.is_empty() {
            lines.push_str(&" ".repeat(indent + 2));
            lines.push_str(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_only_what_is_allowed() {
        assert_eq!(Manifest::name_of("RAG_v2"), "sage-flow-rag-v2");
        assert_eq!(Manifest::name_of("_"), "sage-flow");
        let long = Manifest::name_of(&"ab-".repeat(40));
        assert!(long.len() <= 36 && !long.ends_with('-'), "{long}");
    }
}
