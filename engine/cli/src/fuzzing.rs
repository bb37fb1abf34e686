//! What a fuzzer may throw at the program, one function a format; property tests call the same ones.
//!
//! They are compiled for tests and for the targets in `fuzz/` only. Each takes the fuzzer's bytes and
//! panics where a promise is broken.

use std::fs;

use sage_dsl::experiment::Experiment;
use sage_dsl::plan::Plan;
use sage_dsl::{Request, compile, explain, explain_experiment};

use crate::catalog::catalog;
use crate::commands::experiment::comparison;
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
    fn a_damaged_record_of_a_job_takes_no_other_with_it() {
        try_all("job_record", 400, super::job_record);
    }

    #[test]
    fn damaged_recordings_and_results_are_errors() {
        try_all("recording", 150, super::recording);
        try_all("experiment_results", 150, super::experiment_results);
    }
}
