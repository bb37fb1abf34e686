//! `test`: the tests of programs, in virtual time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use sage_dsl::testing::Test;
use sage_dsl::{Diagnostic, SourceMap};
use serde_json::{Value, json};

use crate::exit::{Exit, usage};
use crate::program;
use crate::testing::{Outcome, Tester};

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Programs
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only tests with this text in their names
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Give a parameter another value
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Seed of everything that draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print what came out as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Tests by how they ended.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
}

pub(crate) fn test(arguments: &TestArguments) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let mut tester = Tester::new(arguments.seed)?;
    let mut count = Count::default();
    let (mut wrong, mut known) = (0, 0);
    let mut results = Vec::new();
    for file in &arguments.files {
        let compiled = program::compile(file, &arguments.sets)?;
        program::show(&compiled);
        wrong += usize::from(compiled.failed());
        known += compiled.tests.len();
        let chosen = |test: &&Test| {
            arguments.filter.as_ref().is_none_or(|text| test.name.contains(text.as_str()))
        };
        for test in compiled.tests.iter().filter(chosen) {
            let outcome = tester.run(test);
            let passed = outcome.as_ref().is_ok_and(Outcome::passed);
            count.passed += usize::from(passed);
            count.failed += usize::from(!passed);
            let file = file.display().to_string();
            if arguments.json {
                results.push(as_json(&file, test, &outcome, &compiled.sources));
            } else {
                println!("{file}: \"{}\" {}", test.name, line(&outcome));
                complain(test, &outcome, &compiled.sources);
            }
        }
    }
    if let Some(text) = &arguments.filter
        && count.passed + count.failed == 0
        && wrong == 0
    {
        return Err(usage(format!(
            "--filter {text}: none of the {known} tests has this in its name"
        )));
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        let Count { passed, failed } = count;
        println!("{passed} passed, {failed} failed, in {}", short(began.elapsed()));
    }
    Ok(match (wrong, count.failed) {
        (1.., _) => Exit::Usage,
        (0, 1..) => Exit::Failed,
        (0, 0) => Exit::Complete,
    })
}

/// How a test went, in a few words.
fn line(outcome: &anyhow::Result<Outcome>) -> String {
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

/// Say what does not hold, and where it is expected.
fn complain(test: &Test, outcome: &anyhow::Result<Outcome>, sources: &SourceMap) {
    let unmet: Vec<Diagnostic> = match outcome {
        Err(error) => {
            eprintln!("error: test \"{}\" could not be run: {error:#}", test.name);
            return;
        }
        Ok(outcome) => test
            .expectations
            .iter()
            .zip(&outcome.verdicts)
            .filter(|(_, verdict)| !verdict.holds)
            .map(|(expectation, verdict)| expectation.unmet(&test.name, &verdict.values))
            .collect(),
    };
    program::show_all(&unmet, sources);
}

fn as_json(
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
                json!({
                    "expect": expectation.text,
                    "place": place(expectation.span),
                    "holds": verdict.holds,
                    "values": values,
                })
            });
            fields.insert("expectations".into(), expectations.collect());
        }
    }
    value
}

/// A time with three digits.
fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 10.0 {
        format!("{seconds:.1} s")
    } else if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}
