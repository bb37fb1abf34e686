//! Claims and objectives: a condition over the columns of results, and what became of it.
//!
//! A claim is decided on the means over the repeats. How often it held in the single repeats is said
//! beside it: a claim that holds on the means and in 3 of 5 repeats is not worth much.

mod evaluate;
mod groups;
mod text;

use std::collections::BTreeMap;

use sage_dsl::experiment::{Backend, Claim};
use serde_json::{Map, Value};

use crate::results::{COLUMNS, Estimate, Outcome, Row, Verdict, column, value};

use self::evaluate::{Evaluator, Truth};
use self::groups::Groups;
pub(crate) use self::text::number;

/// The verdict on `claim` over `rows` of `backend`. What the backend only assumes cannot confirm a
/// claim about it.
pub fn decide_on(claim: &Claim, rows: &[Row], backend: Backend) -> Verdict {
    let mut verdict = decide(claim, rows);
    let named = groups::columns(&claim.condition);
    let assumed = named.iter().filter_map(|name| column(name)).find(|it| it.assumed(backend));
    if let Some(column) = assumed {
        let why = format!(
            "{} is assumed on the {}, not measured: see docs/twin.md",
            column.name,
            backend.as_str()
        );
        verdict.outcome = Outcome::NotMeasurable;
        verdict.repeats = None;
        verdict.detail = vec![why];
    }
    verdict
}

/// The verdict on `claim` over `rows`, those of solo runs left out.
pub fn decide(claim: &Claim, rows: &[Row]) -> Verdict {
    let groups = Groups::of(&claim.condition, rows);
    let mut verdict = Verdict {
        text: claim.text.clone(),
        condition: claim.source.clone(),
        outcome: Outcome::NotMeasurable,
        repeats: None,
        detail: Vec::new(),
    };
    if groups.bindings.is_empty() {
        verdict.detail.push("there are no rows it could be said of".into());
        return verdict;
    }
    let means = |row: usize, column: &str| rows[row].figures.get(column).map(|found| found.mean);
    let mut truths = Vec::new();
    for binding in &groups.bindings {
        let mut evaluator = Evaluator::new(&groups, &means);
        let truth = evaluator.truth(&claim.condition, binding);
        verdict.detail.push(line(&groups.name(binding), &truth, &evaluator.numbers));
        truths.push(truth);
    }
    verdict.outcome = outcome(&truths);
    if let [Err(why), others @ ..] = &truths[..]
        && others.iter().all(|other| other.as_ref() == Err(why))
    {
        // Said of all groups alike, it need not be said of each.
        verdict.detail = vec![line("", &truths[0], &[])];
    }

    let (mut held, mut decided) = (0, 0);
    let repeats = rows.iter().flat_map(|row| row.figures.values());
    for repeat in 0..repeats.map(|found| found.values.len()).max().unwrap_or(0) {
        let one = |row: usize, column: &str| {
            *rows[row].figures.get(column)?.values.get(repeat).unwrap_or(&None)
        };
        let truths = groups
            .bindings
            .iter()
            .map(|binding| Evaluator::new(&groups, &one).truth(&claim.condition, binding));
        match outcome(&truths.collect::<Vec<_>>()) {
            Outcome::Holds => (held, decided) = (held + 1, decided + 1),
            Outcome::Fails => decided += 1,
            Outcome::NotMeasurable => {}
        }
    }
    verdict.repeats = (decided > 0).then_some((held, decided));
    verdict
}

/// The verdict on an objective of a program's `slo` block, over the `metrics.json` of one run, be it
/// measured or predicted.
///
/// Columns that compare runs (`speedup`, `slowdown`) and labels have no meaning here: such an
/// objective is not measurable, and the detail says why.
pub fn objective(claim: &Claim, metrics: &Map<String, Value>) -> Verdict {
    let figures = COLUMNS.iter().filter_map(|column| {
        let mean = value(column.name, metrics)?;
        let estimate = Estimate { values: vec![Some(mean)], mean, interval: None };
        Some((column.name.to_owned(), estimate))
    });
    let row = Row { figures: figures.collect::<BTreeMap<_, _>>(), ..Row::default() };
    Verdict { repeats: None, ..decide(claim, &[row]) }
}

/// It fails if it fails anywhere, and holds if it holds everywhere.
fn outcome(truths: &[Truth]) -> Outcome {
    if truths.contains(&Ok(false)) {
        Outcome::Fails
    } else if truths.iter().any(Result::is_err) {
        Outcome::NotMeasurable
    } else {
        Outcome::Holds
    }
}

fn line(group: &str, truth: &Truth, numbers: &[(String, f64)]) -> String {
    let mut words: Vec<String> =
        numbers.iter().map(|(name, value)| format!("{name} = {}", text::number(*value))).collect();
    words.dedup();
    if let Err(why) = truth {
        words.push(why.clone());
    }
    let word = match truth {
        Ok(true) => "holds",
        Ok(false) => "fails",
        Err(_) => "not measurable",
    };
    let group = if group.is_empty() { String::new() } else { format!("{group}: ") };
    if words.is_empty() {
        format!("{group}{word}")
    } else {
        format!("{group}{word}: {}", words.join(", "))
    }
}
