//! What of a part of a run is not the same any more, in words: from which value to which, as far as
//! there are values, and long ones as far as they differ.

use std::time::Duration;

use serde_json::Value;

/// Letters of a value that are shown.
const LONGEST: usize = 40;
/// Letters before the first one that differs.
const BEFORE: usize = 12;
/// Differences of a part that are told; the others are counted.
const MOST: usize = 4;

/// How a part has changed.
pub(super) fn sentence(name: &str, before: &Value, after: &Value) -> String {
    if let (Some(before), Some(after)) = (short(before), short(after)) {
        return format!("{name}: {}", both(&before, &after));
    }
    let mut found = Vec::new();
    match (before.as_object(), after.as_object()) {
        (Some(earlier), Some(now)) => {
            let names =
                earlier.keys().chain(now.keys().filter(|name| !earlier.contains_key(*name)));
            for name in names {
                let of = |all: &serde_json::Map<String, Value>| {
                    all.get(name).cloned().unwrap_or(Value::Null)
                };
                field(name, &of(earlier), &of(now), &mut found);
            }
        }
        _ => leaves("", before, after, &mut found),
    }
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push(format!("{more} more"));
    }
    if found.is_empty() {
        // They are written differently and mean the same to people.
        return format!("{name} has changed");
    }
    format!("{name} has changed ({})", found.join("; "))
}

/// A field of a part, which may be a list of arguments or options by name.
fn field(name: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    // Fields have small letters; others are names of the compiler's own for what an expression is.
    let name = if name.starts_with(char::is_uppercase) { "" } else { name };
    let (Some(earlier), Some(now)) = (named_values(before), named_values(after)) else {
        return leaves(name, before, after, found);
    };
    let value = |of: &[(&str, &Value)], name: &str| {
        let known = of.iter().find(|(other, _)| *other == name);
        known.map_or(Value::Null, |(_, value)| (*value).clone())
    };
    let new = now.iter().filter(|(name, _)| !earlier.iter().any(|(other, _)| other == name));
    for (name, _) in earlier.iter().chain(new) {
        leaves(name, &value(&earlier, name), &value(&now, name), found);
    }
}

/// Where two values differ, as deep as they have the same shape.
fn leaves(name: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        _ if short(before).is_some() && short(after).is_some() => {
            say(name, before, after, found);
        }
        // What was written says more than what was made of it.
        (Value::Object(earlier), Value::Object(now))
            if earlier.get("text").zip(now.get("text")).is_some_and(|(b, a)| b != a) =>
        {
            leaves(name, &earlier["text"], &now["text"], found);
        }
        (Value::Object(earlier), Value::Object(now)) if earlier.keys().eq(now.keys()) => {
            earlier.values().zip(now.values()).for_each(|(b, a)| leaves(name, b, a, found));
        }
        (Value::Array(earlier), Value::Array(now)) if earlier.len() == now.len() => {
            earlier.iter().zip(now).for_each(|(b, a)| leaves(name, b, a, found));
        }
        _ => say(name, before, after, found),
    }
}

fn say(name: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    let shown = |value: &Value| short(value).unwrap_or_else(|| value.to_string());
    let change = both(&shown(before), &shown(after));
    found.push(if name.is_empty() { change } else { format!("{name}: {change}") });
}

/// `[[name, value], ...]`, as arguments and options are written.
fn named_values(value: &Value) -> Option<Vec<(&str, &Value)>> {
    let entries = value.as_array()?;
    let named = |entry: &'_ Value| -> Option<()> {
        (entry.as_array()?.len() == 2 && entry.get(0)?.is_string()).then_some(())
    };
    entries.iter().try_for_each(named)?;
    entries.iter().map(|entry| Some((entry.get(0)?.as_str()?, entry.get(1)?))).collect()
}

/// A value as people write it, if it is a plain one.
fn short(value: &Value) -> Option<String> {
    match value {
        // A constant with its type, as `{"Int": 3}`.
        Value::Object(fields) if fields.len() == 1 => {
            let (ty, value) = fields.iter().next()?;
            match value.as_u64().filter(|_| ty == "Duration") {
                Some(ns) => Some(humantime::format_duration(Duration::from_nanos(ns)).to_string()),
                None => short(value),
            }
        }
        Value::Null => Some("none".into()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Two values side by side; long ones from a little before the first letter that differs.
fn both(before: &str, after: &str) -> String {
    let letters = |text: &str| -> Vec<char> {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let (before, after) = (letters(before), letters(after));
    let same = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let long = before.len().max(after.len()) > LONGEST;
    let from = if long { same.saturating_sub(BEFORE) } else { 0 };
    let shown = |text: &[char]| {
        let part: String = text.iter().skip(from).take(LONGEST).collect();
        let head = if from > 0 { "…" } else { "" };
        let tail = if text.len() > from + LONGEST { "…" } else { "" };
        format!("{head}{part}{tail}")
    };
    format!("{} before, {} now", shown(&before), shown(&after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(before: &Value, after: &Value, wanted: &str) {
        assert_eq!(sentence("x", before, after), wanted);
    }

    #[test]
    fn plain_values_are_told_side_by_side() {
        check(&json!(7), &json!(8), "x: 7 before, 8 now");
        check(&json!(null), &json!(true), "x: none before, true now");
        check(&json!({"Int": 3}), &json!({"Int": 4}), "x: 3 before, 4 now");
        let time = |ns: u64| json!({"Duration": ns});
        check(&time(30_000_000), &time(1_500_000_000), "x: 30ms before, 1s 500ms now");
    }

    #[test]
    fn arguments_and_fields_are_told_by_name_from_value_to_value() {
        check(
            &json!({"kind": "csv", "args": [["path", {"String": "a.csv"}], ["n", {"Int": 1}]]}),
            &json!({"kind": "csv", "args": [["path", {"String": "b.csv"}], ["m", {"Int": 2}]]}),
            "x has changed (path: a.csv before, b.csv now; n: 1 before, none now; m: none before, 2 now)",
        );
        check(
            &json!({"url": "http://a", "replicas": [], "model": "m"}),
            &json!({"url": "http://b", "replicas": ["http://c"], "model": "m"}),
            "x has changed (url: http://a before, http://b now; replicas: [] before, [\"http://c\"] now)",
        );
    }

    #[test]
    fn long_texts_are_told_where_they_differ() {
        let text =
            |end: &str| json!({"name": "a", "text": format!("{}{end}", "One word. ".repeat(30))});
        check(
            &text("What is {{ q }}?"),
            &text("What was\n{{ q }}? Say it twice, and then once more."),
            "x has changed (text: … word. What is {{ q }}? before, … word. What was {{ q }}? Say it twice, a… now)",
        );
    }

    #[test]
    fn conditions_are_told_by_the_constants_that_differ_and_many_are_counted() {
        let condition =
            |n: i64| json!({"Binary": {"op": "Gt", "left": {"Field": 1}, "right": {"Int": n}}});
        check(&condition(3), &condition(5), "x has changed (3 before, 5 now)");
        check(
            &json!([1, 2, 3, 4, 5, 6]),
            &json!([2, 3, 4, 5, 6, 7]),
            "x has changed (1 before, 2 now; 2 before, 3 now; 3 before, 4 now; 4 before, 5 now; 2 more)",
        );
    }
}
