//! `cache`: what the answers and indexes kept for later runs take, and removing them.
//!
//! Works on the shared cache and on the journal of a run alike; both are the same kind of folder.
//! Vectors are kept within the shared cache and indexes in the state directory, so they belong to the
//! first alone. What `info` names is what `clear` removes.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::{Args, Subcommand};
use sage_llm::journal::{self, Cleared, JournalError, ModelUse, Survey};
use sage_retrieval::KeptIndexes;
use serde_json::json;

use crate::exit::{Exit, usage, usage_of};
use crate::run::kept_vectors::KeptVectors;
use crate::run::{kept_indexes, kept_vectors};

const EXAMPLES: &str = "\
Examples:
  sage-flow cache info
  sage-flow cache info --dir results/runs/rag/journal --json
  sage-flow cache clear --older-than 30d
  sage-flow cache clear --yes

The cache is in $SAGE_CACHE_DIR, else $XDG_CACHE_HOME/sage-flow, else ~/.cache/sage-flow, and within
it, in `vectors`, what `local:` models have made; built indexes are in `indexes` of $SAGE_STATE_DIR,
else $XDG_STATE_HOME/sage-flow, else ~/.local/state/sage-flow. `info` shows all three, and `clear`
removes from all three. With --dir only that folder is looked at. The answers of a run are in its own
folder, and go with it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CacheArguments {
    #[command(subcommand)]
    verb: Verb,
    /// The folder of a cache or of a run's journal [default: the user's cache]
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what is kept, by model; also while runs use it
    Info {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove what no running process writes
    Clear {
        /// Only files whose newest answer is at least so old (`12h`, `30d`)
        #[arg(long, value_name = "D", value_parser = humantime::parse_duration)]
        older_than: Option<Duration>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) fn cache(arguments: &CacheArguments) -> anyhow::Result<Exit> {
    let usual = arguments.dir.is_none();
    let folder = arguments.dir.clone().or_else(journal::default_folder).ok_or_else(|| {
        usage("there is no place for a cache: set SAGE_CACHE_DIR or HOME, or give --dir")
    })?;
    let survey = match journal::survey(&folder) {
        Ok(survey) => survey,
        // Before the first answer was kept there is no journal, and nothing is wrong with that.
        Err(JournalError::NotAJournal { .. }) if usual && has_no_answers(&folder) => {
            if let Verb::Info { json: true } = arguments.verb {
                let mut none = json!({"path": folder, "entries": 0, "bytes": 0, "models": []});
                none["indexes"] = indexes_object();
                none["vectors"] = vectors_object();
                println!("{none}");
            } else {
                println!("{}: no answers are kept yet", folder.display());
                if let Verb::Clear { yes: false, older_than } = arguments.verb
                    && !agreed("all kept indexes and vectors", older_than)?
                {
                    println!("nothing removed");
                    return Ok(Exit::Complete);
                }
                indexes(&arguments.verb)?;
            }
            return Ok(Exit::Complete);
        }
        Err(error) => return Err(usage_of(error)),
    };
    match &arguments.verb {
        Verb::Info { json: true } => {
            let mut object = object(&survey);
            if usual {
                object["indexes"] = indexes_object();
                object["vectors"] = vectors_object();
            }
            println!("{}", serde_json::to_string_pretty(&object)?);
        }
        Verb::Info { json: false } => print!("{}", text(&survey)),
        Verb::Clear { older_than, yes } => {
            let answers = format!(
                "{} answers, {}, in {}",
                survey.entries,
                size(survey.bytes),
                survey.path.display()
            );
            let all = if usual {
                format!("{answers}, and all kept indexes and vectors")
            } else {
                answers
            };
            if !yes && !agreed(&all, *older_than)? {
                println!("nothing removed");
                return Ok(Exit::Complete);
            }
            let cleared = journal::clear(&folder, *older_than).map_err(usage_of)?;
            print!("{}", outcome(&folder, &cleared));
        }
    }
    if usual && !matches!(arguments.verb, Verb::Info { json: true }) {
        indexes(&arguments.verb)?;
    }
    Ok(Exit::Complete)
}

/// Whether a folder is not there, or holds nothing but vectors.
fn has_no_answers(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let vectors = kept_vectors::folder();
    entries.map(|entry| entry.path()).all(|path| vectors.as_ref() == Some(&path))
}

/// Say what indexes and vectors are kept, or remove them.
fn indexes(verb: &Verb) -> anyhow::Result<()> {
    if let Some(folder) = kept_vectors::folder() {
        let place = folder.display();
        match verb {
            Verb::Info { .. } => {
                let KeptVectors { files, bytes } = kept_vectors::survey(&folder);
                println!("vectors  of {files} models in {place}, {}", size(bytes));
            }
            Verb::Clear { older_than, .. } => {
                let cleared = kept_vectors::clear(&folder, *older_than);
                let KeptVectors { files, bytes } =
                    cleared.with_context(|| format!("cannot remove what is in {place}"))?;
                println!("{place}: removed vectors of {files} models, {}", size(bytes));
            }
        }
    }
    let Some(store) = kept_indexes::store() else { return Ok(()) };
    let place = store.folder().display();
    match verb {
        Verb::Info { .. } => {
            let KeptIndexes { files, bytes } = store.survey();
            println!("indexes  {files} in {place}, {}", size(bytes));
        }
        Verb::Clear { older_than, .. } => {
            let KeptIndexes { files, bytes } = store.clear(*older_than)?;
            println!("{place}: removed {files} indexes, {}", size(bytes));
        }
    }
    Ok(())
}

fn vectors_object() -> serde_json::Value {
    let Some(folder) = kept_vectors::folder() else { return serde_json::Value::Null };
    let KeptVectors { files, bytes } = kept_vectors::survey(&folder);
    json!({ "path": folder, "files": files, "bytes": bytes })
}

fn indexes_object() -> serde_json::Value {
    let Some(store) = kept_indexes::store() else { return serde_json::Value::Null };
    let KeptIndexes { files, bytes } = store.survey();
    json!({ "path": store.folder(), "files": files, "bytes": bytes })
}

/// Ask on the terminal; without one, nobody can agree.
fn agreed(all: &str, older_than: Option<Duration>) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(usage("`cache clear` asks first, and there is no terminal; give --yes"));
    }
    let which = older_than.map_or(String::new(), |age| {
        format!(" what is older than {} of", humantime::format_duration(age))
    });
    eprint!("Remove{which} {all}? [y/N] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.into_iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, unit)| format!("{:.1} {name}", bytes as f64 / unit as f64),
    )
}

fn object(survey: &Survey) -> serde_json::Value {
    let models: Vec<_> = survey
        .models
        .iter()
        .map(|row| {
            json!({
                "model": row.model,
                "simulated": row.simulated,
                "entries": row.entries,
                "bytes": row.bytes,
                "prompt_tokens": row.prompt_tokens,
                "completion_tokens": row.completion_tokens,
            })
        })
        .collect();
    json!({
        "path": survey.path,
        "kind": survey.kind.name(),
        "entries": survey.entries,
        "bytes": survey.bytes,
        "segments": survey.segments,
        "in_use": survey.in_use,
        "oldest": survey.recorded.map(|(oldest, _)| time(oldest)),
        "newest": survey.recorded.map(|(_, newest)| time(newest)),
        "damaged": survey.damaged,
        "models": models,
    })
}

fn text(survey: &Survey) -> String {
    let mut text = format!(
        "place    {} ({})\nanswers  {}\nsize     {} in {} segments, {} in use\n",
        survey.path.display(),
        survey.kind.name(),
        survey.entries,
        size(survey.bytes),
        survey.segments,
        survey.in_use
    );
    if let Some((oldest, newest)) = survey.recorded {
        text.push_str(&format!("recorded {} to {}\n", time(oldest), time(newest)));
    }
    text.push_str(&format!("damaged  {}\n", survey.damaged));
    if survey.models.is_empty() {
        return text;
    }
    let name = |row: &ModelUse| row.model.escape_debug().to_string();
    let width = survey.models.iter().map(|row| name(row).chars().count()).max().unwrap_or(0);
    let width = width.max(5);
    text.push_str(&format!(
        "\n{:<width$}  {:<9}  {:>9}  {:>10}  {:>13}  {:>13}\n",
        "model", "answered", "answers", "size", "prompt tokens", "answer tokens"
    ));
    for row in &survey.models {
        text.push_str(&format!(
            "{:<width$}  {:<9}  {:>9}  {:>10}  {:>13}  {:>13}\n",
            name(row),
            if row.simulated { "simulated" } else { "really" },
            row.entries,
            size(row.bytes),
            row.prompt_tokens,
            row.completion_tokens
        ));
    }
    text
}

fn outcome(folder: &Path, cleared: &Cleared) -> String {
    let mut text = format!(
        "{}: removed {} segments, {}\n",
        folder.display(),
        cleared.removed,
        size(cleared.bytes)
    );
    if cleared.in_use > 0 {
        text.push_str(&format!("{} stay: a running process uses them\n", cleared.in_use));
    }
    if cleared.younger > 0 {
        text.push_str(&format!("{} stay: they hold younger answers\n", cleared.younger));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;
    use sage_llm::journal::{Journal, JournalConfig, KeyBuilder, Kind, Stored};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        cache: CacheArguments,
    }

    fn line(words: &[&str]) -> CacheArguments {
        Line::try_parse_from([&["cache"], words].concat()).expect("a right line").cache
    }

    fn keep(folder: &Path) -> Journal {
        let config = JournalConfig { path: folder.into(), max_bytes: 1 << 20, kind: Kind::Content };
        let journal = Journal::open(config).expect("a journal");
        let stored = Stored {
            body: "{}".into(),
            prompt_tokens: 7,
            completion_tokens: 3,
            simulated: true,
            model: "a model".into(),
        };
        let key = KeyBuilder::new("test").finish();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(journal.record(key, stored)).expect("durable");
        journal
    }

    #[test]
    fn info_tells_what_is_there_and_clear_removes_it() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("cache");
        let dir = folder.to_str().expect("text");
        let journal = keep(&folder);
        let survey = journal::survey(&folder).expect("a survey");
        let shown = text(&survey);
        for words in ["answers  1\n", "1 segments, 1 in use", "a model", "simulated", "content"] {
            assert!(shown.contains(words), "{shown}");
        }
        let object = object(&survey);
        assert_eq!(object["models"][0]["prompt_tokens"], 7);
        assert_eq!(object["oldest"], object["newest"]);

        let clear = line(&["clear", "--yes", "--dir", dir]);
        assert_eq!(cache(&clear).expect("done"), Exit::Complete);
        assert_eq!(journal::survey(&folder).expect("a survey").entries, 1, "in use");
        drop(journal);
        let young = line(&["clear", "--yes", "--older-than", "30d", "--dir", dir]);
        assert_eq!(cache(&young).expect("done"), Exit::Complete);
        assert_eq!(journal::survey(&folder).expect("a survey").entries, 1, "too young");
        assert_eq!(cache(&clear).expect("done"), Exit::Complete);
        assert_eq!(journal::survey(&folder).expect("a survey").entries, 0);
    }

    #[test]
    fn a_folder_that_is_no_journal_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for verb in [&["info"][..], &["clear", "--yes"]] {
            let dir = ["--dir", folder.path().to_str().expect("text")];
            let error = cache(&line(&[verb, &dir].concat())).expect_err("no journal");
            assert!(error.to_string().contains("is not an answer journal"), "{error}");
            assert_eq!(crate::exit::of_error(&error), Exit::Usage);
        }
    }

    #[test]
    fn sizes_read_well() {
        let sizes = [0, 1023, 1024, 1536, 5 << 20, 3 << 30];
        let expected = ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 GiB"];
        assert_eq!(sizes.map(size), expected);
    }

    #[test]
    fn what_was_done_is_said() {
        let cleared = Cleared { removed: 2, bytes: 2048, in_use: 1, younger: 3 };
        let said = outcome(Path::new("/x"), &cleared);
        for words in ["removed 2 segments, 2.0 KiB", "1 stay: a running", "3 stay: they hold"] {
            assert!(said.contains(words), "{said}");
        }
    }
}
