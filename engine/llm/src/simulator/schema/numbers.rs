//! Numbers between bounds.

use serde_json::{Value, json};

/// Where a schema has no bound, the span of the numbers.
const SPAN: f64 = 10.0;
/// Beyond this not every integer is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The closed bounds of a schema's numbers and whether each end is excluded.
struct Bounds {
    low: f64,
    high: f64,
    low_open: bool,
    high_open: bool,
}

impl Bounds {
    fn of(schema: &Value) -> Bounds {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let end = |closed: Option<f64>, open: Option<f64>, sign: f64| match (closed, open) {
            (Some(closed), Some(open)) if sign * open >= sign * closed => (Some(open), true),
            (Some(closed), _) => (Some(closed), false),
            (None, open) => (open, open.is_some()),
        };
        let (low, low_open) = end(bound("minimum"), bound("exclusiveMinimum"), 1.0);
        let (high, high_open) = end(bound("maximum"), bound("exclusiveMaximum"), -1.0);
        let unit = bound("multipleOf").unwrap_or(0.0);
        let span = SPAN.max(SPAN * unit);
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + span),
            (None, Some(high)) => (high - span, high),
            (None, None) => (0.0, span),
        };
        Bounds { low, high, low_open, high_open }
    }
}

/// An integer that `schema` admits, chosen by `lot`.
pub(super) fn integer(schema: &Value, lot: u64) -> Result<Value, String> {
    let unit = schema.get("multipleOf").and_then(Value::as_f64).unwrap_or(1.0);
    if unit.fract() != 0.0 {
        return Err("`multipleOf` of an integer is not one itself".to_owned());
    }
    multiple(schema, unit, lot).map(|number| json!(number as i64))
}

/// A number that `schema` admits, chosen by `lot`.
pub(super) fn number(schema: &Value, lot: u64) -> Result<Value, String> {
    if let Some(unit) = schema.get("multipleOf").and_then(Value::as_f64) {
        return multiple(schema, unit, lot).map(|number| json!(number));
    }
    let bounds = Bounds::of(schema);
    let Bounds { low, high, low_open, high_open } = bounds;
    let open = low_open || high_open;
    if low > high || (open && low >= high) {
        return Err("no number lies between its bounds".to_owned());
    }
    // Never at the ends, which may be excluded.
    let exact = low + (high - low) * ((10 + lot % 81) as f64 / 100.0);
    let round = (exact * 100.0).round() / 100.0;
    let inside = round > low && round < high;
    Ok(json!(if inside { round } else { exact }))
}

/// A multiple of `unit` between the bounds.
fn multiple(schema: &Value, unit: f64, lot: u64) -> Result<f64, String> {
    let Bounds { low, high, low_open, high_open } = Bounds::of(schema);
    let mut first = (low / unit).ceil();
    let mut last = (high / unit).floor();
    if low_open && first * unit <= low {
        first += 1.0;
    }
    if high_open && last * unit >= high {
        last -= 1.0;
    }
    (first, last) = (first.max(-EXACT), last.min(EXACT));
    if first > last {
        return Err("no number lies between its bounds".to_owned());
    }
    let count = (last - first).min(1e6) as u64 + 1;
    Ok((first + (lot % count) as f64) * unit)
}
