//! What is said of tests, for programs.

use sage_dsl::testing::Test;
use sage_dsl::{Compiled, SourceMap};
use serde_json::{Value, json};

use crate::diagnostics;
use crate::testing::Outcome;

/// A program that could not be tested, and why: its findings are those of `check --format json`.
pub(super) fn of_mistakes(file: &str, compiled: &Compiled) -> Value {
    json!({
        "file": file,
        "test": null,
        "outcome": "not tested",
        "mistakes": compiled.diagnostics.iter().filter(|found| found.is_error()).count(),
        "diagnostics": diagnostics::as_json(&compiled.diagnostics, &compiled.sources),
    })
}

/// A test and how it went.
pub(super) fn of_test(
    file: &str,
    test: &Test,
    outcome: &anyhow::Result<Outcome>,
    sources: &SourceMap,
) -> Value {
    let place = |span| {
        let (line, column) = sources.line_column(span);
        json!({"line": line, "column": column})
    };
    let mut value = json!({ "file": file, "test": test.name, "place": place(test.span) });
    let Some(fields) = value.as_object_mut() else { return value };
    match outcome {
        Err(error) => {
            fields.insert("outcome".into(), json!("error"));
            fields.insert("error".into(), json!(format!("{error:#}")));
        }
        Ok(outcome) => {
            let word = if outcome.passed() { "passed" } else { "failed" };
            fields.insert("outcome".into(), json!(word));
            fields.insert("records".into(), json!(outcome.records));
            fields.insert("virtual_s".into(), json!(outcome.virtual_s));
            fields.insert("wall_s".into(), json!(outcome.wall.as_secs_f64()));
            let looked = test.expectations.iter().zip(&outcome.verdicts);
            let expectations = looked.map(|(expectation, verdict)| {
                let sides = expectation.sides.iter().zip(&verdict.values);
                let values: serde_json::Map<String, Value> =
                    sides.map(|(side, value)| (side.text.clone(), json!(value))).collect();
                let differences = verdict
                    .differences
                    .iter()
                    .map(|it| json!({ "equal": it.text, "expected": it.expected, "got": it.got }));
                json!({
                    "expect": expectation.text,
                    "place": place(expectation.span),
                    "holds": verdict.holds,
                    "values": values,
                    "differences": differences.collect::<Vec<_>>(),
                })
            });
            fields.insert("expectations".into(), expectations.collect());
            fields.insert("dead".into(), json!(outcome.letters.count));
            if !outcome.passed() {
                fields.insert("dead_letters".into(), json!(outcome.letters.first));
            }
        }
    }
    value
}
