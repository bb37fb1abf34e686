//! Whether what was expected holds, and what was found in its place.

use std::time::Duration;

use bumpalo::Bump;
use sage_core::expr::{Program, Templates};
use sage_core::record::{Datum, Items, write_json};
use sage_dsl::plan::Expr;
use sage_dsl::testing::{Expectation, Side};
use sage_dsl::types::Type;
use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN: usize = 300;

/// One expectation, looked at.
pub(crate) struct Verdict {
    pub(crate) holds: bool,
    /// Values of its sides, for people.
    pub(crate) values: Vec<String>,
    /// What was to be equal and is not.
    pub(crate) differences: Vec<Difference>,
}

/// Two values that were to be equal.
pub(crate) struct Difference {
    /// As written: `answers.text == ["a", "b"]`.
    pub(crate) text: String,
    pub(crate) got: Value,
    pub(crate) expected: Value,
}

/// Look at an expectation; `row` holds the packed figures.
pub(super) fn of(expectation: &Expectation, row: &[u8]) -> anyhow::Result<Verdict> {
    let columns: Vec<Datum<'_>> = Items::new(row).collect();
    let templates = Templates::compile(&[])?;
    let arena = Bump::new();
    let evaluate = |expr: &Expr, show: &dyn Fn(Datum<'_>) -> String| -> anyhow::Result<String> {
        let program = Program::compile(expr)?;
        // What cannot be computed is no reason to stop: the value says why.
        Ok(match program.evaluate(&columns, &templates, &arena) {
            Ok(value) => show(value),
            Err(error) => format!("an error: {error}"),
        })
    };
    let truth = evaluate(&expectation.condition, &|value| format!("{value:?}"))?;
    let holds = truth == format!("{:?}", Datum::Bool(true));
    let mut values = Vec::new();
    for side in &expectation.sides {
        values.push(evaluate(&side.value, &|value| shown(&side.ty, value))?);
    }
    let mut differences = Vec::new();
    for (left, right) in expectation.equals.iter().filter(|_| !holds) {
        let json = |side: &Side| -> anyhow::Result<Value> {
            let text = evaluate(&side.value, &|value| whole(&side.ty, value))?;
            Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
        };
        // What is written out is what was expected.
        let (got, expected) = match &left.value {
            Expr::Literal(_) => (json(right)?, json(left)?),
            _ => (json(left)?, json(right)?),
        };
        if got != expected {
            let text = format!("{} == {}", left.text, right.text);
            differences.push(Difference { text, got, expected });
        }
    }
    Ok(Verdict { holds, values, differences })
}

/// A value as JSON.
fn whole(ty: &Type, value: Datum<'_>) -> String {
    let mut text = Vec::new();
    write_json(&mut text, ty, value);
    String::from_utf8_lossy(&text).into_owned()
}

/// A value, for people.
fn shown(ty: &Type, value: Datum<'_>) -> String {
    if let (Type::Duration, Some(ns)) = (ty, value.as_int()) {
        return humantime::format_duration(Duration::from_nanos(ns.unsigned_abs())).to_string();
    }
    let text = whole(ty, value);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
