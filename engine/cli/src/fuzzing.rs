//! What a fuzzer may throw at the program, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

use std::fs;
use std::path::{Component, Path};

use sage_dsl::experiment::Experiment;
use sage_dsl::plan::Plan;
use sage_dsl::{NotFormatted, Request, compile, explain, explain_experiment, format};
use sage_lab::suite::Suite;
use serde_json::Value;

use crate::catalog::catalog;
use crate::commands::experiment::comparison;
use crate::commands::retry::retried_records;
use crate::diagnostics;

pub use crate::jobs::fuzzing::job_record;
pub use crate::twin::fuzzing::recording;

/// A program: mistakes with places that can be shown, or plans that can be told, written and read.
pub fn sage_text(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let catalog = catalog();
    let compiled = compile(Request {
        path: "fuzz.sage",
        text,
        overrides: &[],
        env: &|_| None,
        load: &|path| Err(format!("there is no file {path}")),
        catalog: &catalog,
    });
    let shown = diagnostics::render(&compiled.diagnostics, &compiled.sources, false);
    assert_eq!(shown.is_empty(), compiled.diagnostics.is_empty());
    if compiled.failed() {
        assert!(compiled.plans.is_empty() && compiled.experiments.is_empty());
    }
    for plan in &compiled.plans {
        assert!(!explain(plan).is_empty());
        let text = serde_json::to_string(plan).expect("a plan can be written");
        let again: Plan = serde_json::from_str(&text).expect("and read");
        let outline = |plan: &Plan| serde_json::to_string(plan).map(|text| text.len());
        assert!(outline(&again).is_ok());
    }
    for experiment in &compiled.experiments {
        assert!(!explain_experiment(experiment).is_empty());
        let text = serde_json::to_string(experiment).expect("an experiment can be written");
        assert!(serde_json::from_str::<Experiment>(&text).is_ok(), "and read");
    }
}

/// The layout of a program: right programs are laid out, twice is once, and what is laid out says the
/// same: it compiles to the same plans, but for the places in the text.
pub fn sage_layout(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let once = match format("fuzz.sage", text) {
        Ok(once) => once,
        Err(NotFormatted::WouldChange) => panic!("the layout would change what it says"),
        Err(NotFormatted::Mistakes { diagnostics, sources }) => {
            assert!(!diagnostics::render(&diagnostics, &sources, false).is_empty());
            return;
        }
    };
    let twice = format("fuzz.sage", &once).expect("what is laid out is right");
    assert_eq!(once, twice, "twice is once");
    let catalog = catalog();
    let plans = |text: &str| {
        let compiled = compile(Request {
            path: "fuzz.sage",
            text,
            overrides: &[],
            env: &|_| None,
            load: &|path| Err(format!("there is no file {path}")),
            catalog: &catalog,
        });
        let plans = serde_json::to_value(&compiled.plans).expect("plans can be written");
        (compiled.failed(), without_lines(plans))
    };
    assert_eq!(plans(text), plans(&once), "the same plans");
}

/// The same without the lines that parts of a plan stand in.
fn without_lines(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.shift_remove("line");
            fields.values_mut().for_each(|field| *field = without_lines(field.take()));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = without_lines(item.take()));
        }
        _ => {}
    }
    value
}

/// A file of dead letters: an error that names a line, or each line that is not blank is a record or
/// a row, and the records are JSON objects.
pub fn dead_letters(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, into) = (folder.path().join("dead.jsonl"), folder.path().join("into.jsonl"));
    fs::write(&file, input).expect("a file");
    match retried_records(&file, &into) {
        Ok((records, rows)) => {
            let text = std::str::from_utf8(input).expect("it was read as text");
            let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
            assert_eq!(records + rows, lines, "a letter is lost");
            let written = fs::read_to_string(&into).expect("the records are text");
            assert_eq!(written.lines().count(), records);
            for line in written.lines() {
                let record: Value = serde_json::from_str(line).expect("a record is JSON");
                assert!(record.is_object());
            }
        }
        Err(why) => assert!(why.to_string().contains("dead.jsonl:"), "{why}"),
    }
}

/// The `suite.json` of an experiment: an error that names it, or it is written and read as the same,
/// and what its runs have left is gathered and shown, or said to be wrong.
pub fn suite_file(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("suite.json");
    fs::write(&path, input).expect("a file");
    let suite = match Suite::open(folder.path()) {
        Ok(suite) => suite.expect("the file is there"),
        Err(why) => return assert!(why.to_string().contains("suite.json"), "{why}"),
    };
    let runs = folder.path().join("runs");
    let plain = |name: &str| {
        let mut parts = Path::new(name).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    for trial in suite.trials.iter().take(3).filter(|trial| plain(&trial.id)) {
        let run = runs.join(&trial.id);
        for job in trial.jobs.iter().filter(|job| plain(&job.name)) {
            // A name may be longer than the file system takes.
            if fs::create_dir_all(run.join(&job.name)).is_ok() {
                let _ = fs::write(run.join(&job.name).join("metrics.json"), RUN);
                let _ = fs::write(run.join("ended.json"), ENDED);
            }
        }
    }
    match comparison(folder.path(), folder.path()) {
        Ok(comparison) => assert!(!comparison.text().is_empty()),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    suite.begin(folder.path()).expect("what is read can be written");
    let again = Suite::open(folder.path()).expect("and read").expect("it is there");
    assert_eq!(suite.differs(&again), None, "as it was");
}

/// Figures of a run, for the trials of a suite.
const RUN: &str = include_str!("../../../fuzz/recording/metrics.json");
/// A trial has ended well.
const ENDED: &str = r#"{"outcome": "done", "reason": null, "seconds": 1.5}"#;

/// The `metrics.json` of an experiment: an error that names it, or it can be compared and shown.
pub fn experiment_results(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("metrics.json"), input).expect("a file");
    match comparison(folder.path(), folder.path()) {
        Ok(comparison) => assert!(!comparison.text().is_empty()),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use fuzz_input::try_all;

    #[test]
    fn any_text_is_answered() {
        try_all("sage_text", 150, super::sage_text);
    }

    #[test]
    fn a_layout_says_the_same_and_stays() {
        try_all("sage_layout", 150, super::sage_layout);
    }

    #[test]
    fn dead_letters_are_all_retried_or_named() {
        try_all("dead_letters", 300, super::dead_letters);
    }

    #[test]
    fn a_damaged_record_of_a_job_takes_no_other_with_it() {
        try_all("job_record", 400, super::job_record);
    }

    #[test]
    fn damaged_recordings_and_results_are_errors() {
        try_all("recording", 150, super::recording);
        try_all("experiment_results", 150, super::experiment_results);
        try_all("suite_file", 100, super::suite_file);
    }
}
