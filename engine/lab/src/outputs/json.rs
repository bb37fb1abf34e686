//! `metrics.json`: the results, laid out so that a run is one line and a change is seen in a diff.

use std::path::Path;

use serde_json::{Map, Value};

use crate::LabError;
use crate::results::Results;

/// Deeper values stand on one line: a run's figures, an estimate.
const DEPTH: usize = 4;
/// Values as short as this stand on one line anyway.
const SHORT: usize = 96;

pub(super) fn text(results: &Results, folder: &Path) -> Result<String, LabError> {
    let path = folder.join(super::METRICS);
    let value = serde_json::to_value(results).map_err(|why| LabError::content(&path, why))?;
    // What the figures are stands at the top, for whoever sees nothing else.
    let mut fields = Map::new();
    fields.insert("label".into(), results.label().into());
    if let Value::Object(own) = value {
        fields.extend(own);
    }
    let mut text = String::new();
    lay_out(&Value::Object(fields), 0, &mut text);
    text.push('\n');
    Ok(text)
}

fn lay_out(value: &Value, depth: usize, text: &mut String) {
    let flat = value.to_string();
    let (open, close) = match value {
        _ if depth >= DEPTH || flat.len() <= SHORT => return text.push_str(&flat),
        Value::Array(_) => ('[', ']'),
        Value::Object(_) => ('{', '}'),
        _ => return text.push_str(&flat),
    };
    let indent = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    text.push(open);
    let mut first = true;
    let mut begin = |text: &mut String| {
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        indent(text, depth + 1);
    };
    match value {
        Value::Array(items) => {
            for item in items {
                begin(text);
                lay_out(item, depth + 1, text);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                begin(text);
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push_str(": ");
                lay_out(field, depth + 1, text);
            }
        }
        _ => {}
    }
    indent(text, depth);
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_layout_changes_nothing() {
        let long: Vec<u32> = (0..60).collect();
        let value = json!({"a\"": [{"b": {"c": {"d": long, "e": null}}}], "f": long, "g": "x"});
        let mut text = String::new();
        lay_out(&value, 0, &mut text);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.lines().count() > 60, "{text}");
    }
}
