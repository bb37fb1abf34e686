//! `test`: the tests of programs, in virtual time.

mod difference;
mod json;
mod show;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use sage_dsl::Diagnostic;
use sage_dsl::testing::Test;

use crate::args::Format;
use crate::exit::{Exit, usage};
use crate::program;
use crate::testing::{Outcome, Tester};

const EXAMPLES: &str = "\
Examples:
  sage-flow test pipelines/rag.sage
  sage-flow test pipelines/*.sage --filter throttles
  sage-flow test my.sage --format json

Exit codes:
  0 all tests pass   1 a program has a mistake, or there is no test   2 a test fails";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
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
    /// How to print what came out
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "json")]
    pub(crate) format: Format,
    /// Short for `--format json`
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
    let as_json = arguments.json || arguments.format == Format::Json;
    let mut tester = Tester::new(arguments.seed)?;
    let mut count = Count::default();
    let (mut wrong, mut known) = (Vec::new(), 0);
    let mut results = Vec::new();
    for path in &arguments.files {
        let file = path.display().to_string();
        let compiled = program::compile(path, &arguments.sets)?;
        if !(as_json && compiled.failed()) {
            program::show(&compiled);
        }
        if compiled.failed() {
            if as_json {
                results.push(json::of_mistakes(&file, &compiled));
            } else {
                let errors = compiled.diagnostics.iter().filter(|found| found.is_error()).count();
                println!("{file}: not tested, it has {}", show::counted(errors, "mistake"));
            }
            wrong.push(file);
            continue;
        }
        known += compiled.tests.len();
        if compiled.tests.is_empty() {
            eprintln!("{file}: it has no test; `sage-flow doc test` shows how one is written");
        }
        let chosen = |test: &&Test| {
            arguments.filter.as_ref().is_none_or(|text| test.name.contains(text.as_str()))
        };
        for test in compiled.tests.iter().filter(chosen) {
            let outcome = tester.run(test);
            let passed = outcome.as_ref().is_ok_and(Outcome::passed);
            count.passed += usize::from(passed);
            count.failed += usize::from(!passed);
            if as_json {
                results.push(json::of_test(&file, test, &outcome, &compiled.sources));
            } else {
                println!("{file}: \"{}\" {}", test.name, show::line(&outcome));
                complain(test, &outcome, &compiled.sources);
            }
        }
    }
    let Count { passed, failed } = count;
    if let (Some(text), 0, true) = (&arguments.filter, passed + failed, wrong.is_empty())
        && known > 0
    {
        return Err(usage(format!(
            "--filter {text}: none of the {known} tests has this in its name"
        )));
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else if passed + failed > 0 {
        println!("{passed} passed, {failed} failed, in {}", show::short(began.elapsed()));
    }
    if !wrong.is_empty() {
        eprintln!("error: not tested: {}", wrong.join(", "));
        return Ok(Exit::Usage);
    }
    if known == 0 {
        return Err(usage("there was nothing to test"));
    }
    Ok(if failed > 0 { Exit::Failed } else { Exit::Complete })
}

/// Say what does not hold, where it is expected, and what failed on the way.
fn complain(test: &Test, outcome: &anyhow::Result<Outcome>, sources: &sage_dsl::SourceMap) {
    let outcome = match outcome {
        Err(error) => {
            eprintln!("error: test \"{}\" could not be run: {error:#}", test.name);
            return;
        }
        Ok(outcome) if outcome.passed() => return,
        Ok(outcome) => outcome,
    };
    for (expectation, verdict) in test.expectations.iter().zip(&outcome.verdicts) {
        if verdict.holds {
            continue;
        }
        let unmet: Diagnostic = expectation.unmet(&test.name, &verdict.values);
        program::show_all(&[unmet], sources);
        for difference in &verdict.differences {
            eprint!("{}", difference::shown(difference));
        }
    }
    eprint!("{}", show::letters(&outcome.letters));
}
