//! `experiment list`: what there is to run, and what came out last.

use std::path::Path;

use sage_dsl::experiment::Backend as Place;
use sage_lab::results::Outcome;
use sage_lab::trial::{Overrides, expand};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::experiment::{self, Found};

pub(super) fn list(folder: &Path, json: bool) -> anyhow::Result<Exit> {
    let programs = experiment::programs(folder)?;
    let entries: Vec<Value> = programs.found.iter().map(entry).collect();
    if json {
        let broken = programs.broken.iter().map(|(path, why)| json!({"file": path, "reason": why}));
        let all = json!({"experiments": entries, "broken": broken.collect::<Vec<_>>()});
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Exit::Complete);
    }
    let mut rows = vec![
        ["experiment", "trials", "quick", "on", "last result", "question"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for entry in &entries {
        let word = |name: &str| match &entry[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(words) => {
                let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
                words.join(",")
            }
            other => other.to_string(),
        };
        let names = ["name", "trials", "quick_trials", "backends", "last", "question"];
        rows.push(names.map(word).to_vec());
    }
    if rows.len() > 1 {
        print!("{}", lines(&rows));
    }
    programs.broken.iter().for_each(|(_, reason)| eprintln!("error: {reason}"));
    if rows.len() == 1 && programs.broken.is_empty() {
        eprintln!("no .sage file in `{}` has an experiment", folder.display());
    }
    Ok(if programs.broken.is_empty() { Exit::Complete } else { Exit::Usage })
}

fn entry(found: &Found) -> Value {
    let experiment = &found.experiment;
    let trials = |quick| {
        let design = expand(experiment, quick, &Overrides::default());
        design.ok().map(|design| design.trials.len())
    };
    let places: Vec<&str> = match &experiment.backends[..] {
        [] => Place::ALL.iter().map(|place| place.as_str()).collect(),
        some => some.iter().map(|place| place.as_str()).collect(),
    };
    let last = experiment::last(&experiment.name);
    let words = last.as_ref().map(|(path, results)| {
        let holds = |outcome| results.claims.iter().filter(move |claim| claim.outcome == outcome);
        let claims = match results.claims.len() {
            0 => String::new(),
            all => format!(", {} of {all} claims hold", holds(Outcome::Holds).count()),
        };
        let quick = if results.quick { ", quick" } else { "" };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}{quick}{claims}")
    });
    json!({
        "name": experiment.name,
        "file": experiment.file,
        "question": experiment.summary,
        "trials": trials(false),
        "quick_trials": trials(true),
        "backends": places,
        "last": words,
        "last_folder": last.map(|(path, _)| path),
    })
}

/// A table of words; the last column is not filled up.
pub(in crate::commands) fn lines(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
